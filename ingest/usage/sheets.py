"""Sheets of usage and cost: the CSV exports of the OpenAI and Anthropic consoles, and a CSV of our own.

Ours is for everything else, invoices included; ``docs/providers.md`` explains its columns. Names of people
and keys in a console's export are not read.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO, TypeAlias, cast, get_args

from ingest.errors import SourceError
from ingest.importers.times import TimeError, epoch_moment, read_moment
from ingest.usage.pages import split_line_item
from ingest.usage.statement import (
    DAY,
    Line,
    LineError,
    ReportKind,
    Unread,
    bucket,
    count,
    money,
    usd_only,
    with_empty_days,
)

Row: TypeAlias = Mapping[str, str]
Read: TypeAlias = Callable[[Row], Line]

OWN_COLUMNS = (
    "provider", "kind", "start", "end", "model", "item", "requests", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens", "cache_in_input", "cost_usd", "invoice",
)  # fmt: skip
"""The columns of our own sheet; ``provider``, ``kind`` and ``start`` must be there."""
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


def read_sheet(stream: TextIO, title: str) -> tuple[list[Line], list[Unread]]:
    """Lines and refused lines of a CSV document. Raises SourceError when its header is not known here."""
    rows = csv.DictReader(stream, strict=True)
    try:
        read = _reader(rows.fieldnames or (), title)
        lines: list[Line] = []
        unread: list[Unread] = []
        for position, row in enumerate(rows, start=2):  # the header is line 1
            try:
                lines.append(read(_whole(row)))
            except (LineError, TimeError) as error:
                raw = json.dumps({str(name): cell for name, cell in row.items()}, ensure_ascii=False)
                unread.append(Unread(position=position, reason=str(error), raw=raw))
    except csv.Error as error:
        raise SourceError(
            f"Nothing imported: {title} is no readable CSV ({error}). Export it again."
        ) from error
    return list(_filled(lines)), unread


def _whole(row: Mapping[str | None, str | list[str] | None]) -> dict[str, str]:
    """The row as texts by their heading. Raises LineError when it is longer or shorter than the header."""
    if None in row or None in row.values():
        raise LineError("the line has another number of cells than the header")
    return {str(name): cell.strip() for name, cell in row.items() if isinstance(cell, str)}


def _filled(lines: list[Line]) -> Iterator[Line]:
    """The lines with the days that each statement leaves out; an invoice leaves out none."""
    for provider, kind in sorted({(line.provider, line.kind) for line in lines}):
        mine = [line for line in lines if (line.provider, line.kind) == (provider, kind)]
        yield from mine if kind == "invoice" else with_empty_days(mine)


def _reader(header: object, title: str) -> Read:
    names = {str(name).strip() for name in header} if isinstance(header, list | tuple) else set()
    for needed, read in _SHEETS:
        if needed <= names:
            unknown = names - set(OWN_COLUMNS) if read is _own else set()
            if unknown:
                raise SourceError(
                    f"Nothing imported: {title} has unknown columns {', '.join(sorted(unknown))}. "
                    f"The columns are {', '.join(OWN_COLUMNS)}."
                )
            return read
    raise SourceError(
        f"Nothing imported: the columns of {title} are of no export that is known here. "
        f"Use the columns {', '.join(OWN_COLUMNS)}; docs/providers.md explains them."
    )


def _openai_span(row: Row) -> tuple[dt.datetime, dt.datetime]:
    seconds = [count(row.get(name), name) for name in ("start_time", "end_time")]
    if None in seconds:
        raise LineError("start_time or end_time is missing")
    start, end = (epoch_moment(float(second or 0), "start_time").at for second in seconds)
    return bucket(start, end)


def _openai_usage(row: Row) -> Line:
    start, end = _openai_span(row)
    is_empty = not row.get("input_tokens") and not row.get("model")
    return Line(
        kind="usage",
        provider="openai",
        start=start,
        end=end,
        model=row.get("model") or None,
        request_count=count("0" if is_empty else row.get("num_model_requests"), "num_model_requests"),
        input_tokens=count("0" if is_empty else row.get("input_tokens"), "input_tokens"),
        output_tokens=count("0" if is_empty else row.get("output_tokens"), "output_tokens"),
        cache_read_tokens=count(row.get("input_cached_tokens"), "input_cached_tokens"),
        is_cache_in_input=True,
    )


def _openai_cost(row: Row) -> Line:
    start, end = _openai_span(row)
    usd_only(row.get("amount_currency"))
    model, item = split_line_item(row.get("line_item") or None)
    # an empty amount is an empty day
    cost = money(row.get("amount_value") or "0", "amount_value")
    return Line(
        kind="cost", provider="openai", start=start, end=end, model=model, item=item, cost_nano_usd=cost
    )


def _anthropic_day(row: Row) -> tuple[dt.datetime, dt.datetime]:
    start = read_moment(row["usage_date_utc"], dt.UTC, "usage_date_utc").at
    return bucket(start, start + DAY)


def _anthropic_usage(row: Row) -> Line:
    start, end = _anthropic_day(row)
    writes = [
        count(row.get(f"usage_input_tokens_cache_write_{kept}"), f"cache_write_{kept}")
        for kept in ("5m", "1h")
    ]
    known = [tokens for tokens in writes if tokens is not None]
    return Line(
        kind="usage",
        provider="anthropic",
        start=start,
        end=end,
        model=row["model_version"] or None,
        input_tokens=count(row["usage_input_tokens_no_cache"], "usage_input_tokens_no_cache"),
        output_tokens=count(row.get("usage_output_tokens"), "usage_output_tokens"),
        cache_read_tokens=count(row.get("usage_input_tokens_cache_read"), "usage_input_tokens_cache_read"),
        cache_write_tokens=sum(known) if known else None,
        is_cache_in_input=False,
    )


def _anthropic_cost(row: Row) -> Line:
    start, end = _anthropic_day(row)
    cost = money(row["cost_usd"], "cost_usd")
    if cost is None:
        raise LineError("cost_usd is missing")
    model = _model_id(row.get("model", ""))
    item = row.get("token_type") or (None if model else row.get("cost_type"))
    return Line(
        kind="cost",
        provider="anthropic",
        start=start,
        end=end,
        model=model,
        item=item or None,
        cost_nano_usd=cost,
    )


def _model_id(name: str) -> str | None:
    """``Claude Opus 4.6`` as the API calls it, ``claude-opus-4-6``; in version 3 the number came first."""
    words = name.lower().replace(".", "-").split()
    if not words or words[0] != "claude":
        return name if name and " " not in name else None
    if len(words) == 3 and words[2].startswith("3"):
        words = [words[0], words[2], words[1]]
    return "-".join(words)


def _own(row: Row) -> Line:
    kind = _kind(row["kind"])
    if not row["provider"]:
        raise LineError("provider is missing")
    start = read_moment(row["start"], dt.UTC, "start").at
    end = read_moment(row["end"], dt.UTC, "end").at if row.get("end") else start + DAY
    span = bucket(start, end) if kind != "invoice" else (start.astimezone(dt.UTC), end.astimezone(dt.UTC))
    cost = money(row.get("cost_usd"), "cost_usd")
    if kind != "usage" and cost is None:
        raise LineError("cost_usd is missing")
    if span[0] >= span[1]:
        raise LineError("end is not after start")
    is_usage = kind == "usage"
    return Line(
        kind=kind,
        provider=row["provider"].lower(),
        start=span[0],
        end=span[1],
        model=row.get("model") or None,
        item=row.get("item") or None,
        request_count=count(row.get("requests"), "requests"),
        input_tokens=count(row.get("input_tokens"), "input_tokens"),
        output_tokens=count(row.get("output_tokens"), "output_tokens"),
        cache_read_tokens=count(row.get("cache_read_tokens"), "cache_read_tokens"),
        cache_write_tokens=count(row.get("cache_write_tokens"), "cache_write_tokens"),
        is_cache_in_input=_is_inside(row.get("cache_in_input", "")) if is_usage else None,
        cost_nano_usd=None if is_usage else cost,
        invoice_id=row.get("invoice") or None,
    )


def _kind(word: str) -> ReportKind:
    for kind in get_args(ReportKind):
        if word == kind:
            return cast(ReportKind, kind)
    raise LineError(f"kind = {word[:40]!r} is not usage, cost or invoice")


def _is_inside(word: str) -> bool:
    if word.lower() in (*_YES, ""):
        return True
    if word.lower() in _NO:
        return False
    raise LineError(f"cache_in_input = {word[:40]!r} is not true or false")


_SHEETS: tuple[tuple[set[str], Read], ...] = (
    ({"usage_date_utc", "model_version", "usage_input_tokens_no_cache"}, _anthropic_usage),
    ({"usage_date_utc", "model", "cost_usd"}, _anthropic_cost),
    ({"start_time", "end_time", "amount_value"}, _openai_cost),
    ({"start_time", "end_time", "input_tokens"}, _openai_usage),
    ({"provider", "kind", "start"}, _own),
)
"""Columns by which a sheet is recognised, and how its lines are read."""
