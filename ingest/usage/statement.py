"""A provider's statement: lines of tokens or money per bucket of time, and the events they become."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Literal, TypeAlias

from ingest.contract import Value, canonical_body, derived_event_id
from ingest.dialects.values import decimal_of
from ingest.errors import SourceError
from ingest.importers.times import EPOCH

ReportKind: TypeAlias = Literal["usage", "cost", "invoice"]
Cell: TypeAlias = "str | int | float | Decimal | bool | None"

DAY = dt.timedelta(days=1)
_NANO = Decimal(10**9)
_MAX = 2**53  # what the contract's integers hold
_SUMMED = (
    "request_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_nano_usd",
)


class LineError(ValueError):
    """A line that cannot be read; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What the provider states for one bucket of time, model and item; None is not stated.

    ``cost_nano_usd`` is negative for a credit. Tokens are the provider's own counts;
    ``is_cache_in_input`` says whether cached tokens are inside ``input_tokens``.
    """

    kind: ReportKind
    provider: str
    start: dt.datetime
    end: dt.datetime
    model: str | None = None
    item: str | None = None
    request_count: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    is_cache_in_input: bool | None = None
    cost_nano_usd: int | None = None
    invoice_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A line that was refused: its place in the document, the reason, and its text."""

    position: int
    reason: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """One import of one provider's statement of one kind, its lines added up per bucket, model and item."""

    provider: str
    account: str
    kind: ReportKind
    lines: tuple[Line, ...]
    rejected: int
    source_files: tuple[str, ...]

    @property
    def report_id(self) -> str:
        """A digest of what is stated: the same statement in another file is the same report."""
        told = [canonical_body(_columns(line)) for line in self.lines]
        head = f"{self.provider}\x1f{self.account}\x1f{self.kind}\x1f{self.rejected}"
        return hashlib.sha256(b"\n".join([head.encode(), *told])).hexdigest()[:32]

    @property
    def start(self) -> dt.datetime:
        """Start of its first bucket."""
        return min(line.start for line in self.lines)

    @property
    def end(self) -> dt.datetime:
        """End of its last bucket."""
        return max(line.end for line in self.lines)

    def events(self, now: dt.datetime) -> Iterator[dict[str, Value]]:
        """Its events; the last one says that the others are all there."""
        about: dict[str, Value] = {
            "report_id": self.report_id,
            "report_kind": self.kind,
            "provider_name": self.provider,
            "provider_account": self.account,
            "occurred_at": now,
            "recorded_via": "import:usage",
        }
        for number, line in enumerate(self.lines):
            event_id = derived_event_id(EPOCH, "provider_usage_reported", self.report_id, str(number))
            head: dict[str, Value] = {"event_id": event_id, "event_type": "provider_usage_reported"}
            yield {**head, **about, **_columns(line)}
        yield {
            "event_id": derived_event_id(EPOCH, "provider_report_imported", self.report_id),
            "event_type": "provider_report_imported",
            **about,
            "usage_start_at": self.start,
            "usage_end_at": self.end,
            "row_count": len(self.lines),
            "rejected_row_count": self.rejected,
            "source_file": ", ".join(self.source_files),
        }


def add_up(lines: Iterable[Line]) -> tuple[Line, ...]:
    """One line per bucket, model, item and invoice, in that order; projects and keys are added together."""
    sums: dict[tuple[object, ...], Line] = {}
    for line in lines:
        key = (line.start, line.end, line.model or "", line.item or "", line.invoice_id or "")
        known = sums.get(key)
        sums[key] = line if known is None else _sum(known, line)
    return tuple(sums[key] for key in sorted(sums, key=str))


def with_empty_days(lines: Sequence[Line]) -> list[Line]:
    """``lines`` of one sheet, and a line of zeros for each day between them that the sheet leaves out.

    A sheet lists days of use only; between its first and its last day, what is not there was nothing.
    """
    filled = list(lines)
    spans = sorted({(line.start, line.end) for line in lines})
    for (_, end), (start, _) in pairwise(spans):
        while end < start:
            until = min(_next_day(end), start)
            filled.append(replace(nothing(lines[0]), start=end, end=until))
            end = until
    return filled


def nothing(like: Line) -> Line:
    """A line that states for the bucket of ``like`` that there was nothing."""
    is_usage = like.kind == "usage"
    return Line(
        kind=like.kind,
        provider=like.provider,
        start=like.start,
        end=like.end,
        request_count=0 if is_usage else None,
        input_tokens=0 if is_usage else None,
        output_tokens=0 if is_usage else None,
        is_cache_in_input=True if is_usage else None,
        cost_nano_usd=None if is_usage else 0,
    )


def check_buckets(lines: Iterable[Line], title: str) -> None:
    """Raise SourceError where buckets of different length overlap: their sums would count twice."""
    spans = sorted({(line.start, line.end) for line in lines if line.kind != "invoice"})
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise SourceError(
                f"Nothing imported: {title} states {start:%Y-%m-%d %H:%M} UTC in two buckets of different "
                "length. Import one export per provider and kind, all of days or all of hours."
            )


def count(cell: Cell, what: str) -> int | None:
    """``cell`` as a count; None when it is empty. Raises LineError."""
    if cell is None or cell == "":
        return None
    number = decimal_of(str(cell)) if isinstance(cell, Decimal) else decimal_of(cell)
    if number is None or number != number.to_integral_value() or not 0 <= number < _MAX:
        raise LineError(f"{what} = {str(cell)[:40]!r} is no count")
    return int(number)


def money(cell: Cell, what: str, *, per_usd: int = 1) -> int | None:
    """``cell`` in nano-USD, ``per_usd`` units being one USD; None when it is empty. Raises LineError."""
    if cell is None or cell == "":
        return None
    number = decimal_of(str(cell)) if isinstance(cell, Decimal) else decimal_of(cell)
    nano = None if number is None else int((number * _NANO / per_usd).to_integral_value(ROUND_HALF_EVEN))
    if nano is None or abs(nano) >= _MAX:
        raise LineError(f"{what} = {str(cell)[:40]!r} is no sum of money")
    return nano


def usd_only(currency: Cell) -> None:
    """Raise LineError for another currency: nothing here knows its rate."""
    if currency not in (None, "") and str(currency).upper() != "USD":
        raise LineError(f"currency {str(currency)[:10]!r} is not USD, and no rate is known here")


def bucket(start: dt.datetime, end: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """The bucket as UTC moments. Raises LineError when it is no span within one day of UTC."""
    first, last = start.astimezone(dt.UTC), end.astimezone(dt.UTC)
    if not first < last <= _next_day(first):
        raise LineError(
            f"the bucket from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} is not within one day of UTC"
        )
    return first, last


def _next_day(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


def _sum(one: Line, other: Line) -> Line:
    added: dict[str, int | None] = {}
    for name in _SUMMED:
        values = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
        added[name] = sum(values) if values else None
    return replace(one, **added)  # type: ignore[arg-type]  # the summed fields are all int | None


def _columns(line: Line) -> dict[str, Value]:
    return {
        "usage_start_at": line.start,
        "usage_end_at": line.end,
        "served_model": line.model,
        "usage_item": line.item,
        "request_count": line.request_count,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cache_read_tokens": line.cache_read_tokens,
        "cache_write_tokens": line.cache_write_tokens,
        "is_cache_in_input": line.is_cache_in_input,
        "billed_cost_nano_usd": line.cost_nano_usd,
        "invoice_id": line.invoice_id,
    }
