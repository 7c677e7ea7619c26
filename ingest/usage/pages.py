"""Pages of the providers' usage and cost APIs, as their JSON answers are saved.

OpenAI: ``/v1/organization/usage/*`` and ``/v1/organization/costs``; buckets from ``start_time`` to
``end_time`` in Unix seconds, costs in USD. Anthropic: ``/v1/organizations/usage_report/messages`` and
``…/cost_report``; buckets from ``starting_at`` to ``ending_at``, costs in cents as decimal text. Both count
in days of UTC.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TypeAlias

from ingest.errors import SourceError
from ingest.importers.source import Json, unknown
from ingest.importers.times import TimeError, epoch_moment, read_moment
from ingest.usage.statement import (
    Cell,
    Line,
    LineError,
    ReportKind,
    Unread,
    bucket,
    count,
    money,
    nothing,
    usd_only,
)

Bucket: TypeAlias = Mapping[str, Json]
_CENTS = 100


def read_pages(text: str, title: str) -> tuple[list[Line], list[Unread], bool]:
    """Lines and refused lines of a JSON document, and whether its last page speaks of more.

    Raises SourceError when it is no page of an API that is known here.
    """
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=unknown)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"Nothing imported: {title} is no valid JSON ({error}). Save the answer of the API as it came."
        ) from error
    pages = document if isinstance(document, list) else [document]
    if pages and all(isinstance(page, dict) and "data" not in page for page in pages):
        pages = [{"data": pages}]  # the buckets alone, as the providers' own examples collect them
    buckets = [one for page in pages for one in _buckets(page, title)]
    reader = _reader(buckets, title)
    lines: list[Line] = []
    unread: list[Unread] = []
    for position, (one, results) in enumerate(buckets):
        for line in _of_bucket(one, results, reader, position):
            (unread if isinstance(line, Unread) else lines).append(line)  # type: ignore[arg-type]
    last = pages[-1]
    return lines, unread, isinstance(last, dict) and bool(last.get("has_more"))


def _buckets(page: Json, title: str) -> Iterator[tuple[Bucket, list[Json]]]:
    data = page.get("data") if isinstance(page, dict) else None
    for one in data if isinstance(data, list) else [None]:
        results = one.get("results", one.get("result")) if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(results, list):
            raise SourceError(
                f"Nothing imported: {title} holds no buckets with results. "
                "Save the answer of a usage or cost API as it came; docs/providers.md names them."
            )
        yield one, results


Read: TypeAlias = Callable[[Bucket, Mapping[str, Json]], Line]


def _reader(buckets: list[tuple[Bucket, list[Json]]], title: str) -> tuple[Read, ReportKind]:
    """How the lines of this document are read: by its first result, all of one API. Raises SourceError."""
    results = [result for _, found in buckets for result in found if isinstance(result, dict)]
    if not results:
        raise SourceError(
            f"Nothing imported: {title} holds no results: nothing says whether it is of usage or costs. "
            "Export a period in which something was used."
        )
    bucket_keys, first = buckets[0][0].keys(), results[0]
    if "start_time" in bucket_keys:
        return (_openai_cost, "cost") if "amount" in first else (_openai_usage, "usage")
    if "starting_at" in bucket_keys and ("amount" in first or "uncached_input_tokens" in first):
        return (_anthropic_cost, "cost") if "amount" in first else (_anthropic_usage, "usage")
    raise SourceError(
        f"Nothing imported: {title} is of no usage or cost API that is known here. "
        "docs/providers.md names them; anything else can come as a CSV file."
    )


def _of_bucket(
    one: Bucket, results: list[Json], reader: tuple[Read, ReportKind], position: int
) -> Iterator[Line | Unread]:
    read, kind = reader
    if not results:
        provider = "openai" if "start_time" in one else "anthropic"
        try:
            start, end = _span(one)
            yield nothing(Line(kind=kind, provider=provider, start=start, end=end))
        except (LineError, TimeError) as error:
            yield _unread(one, [], position, error)
    for result in results:
        try:
            if not isinstance(result, dict):
                raise LineError("a result is no object")
            yield read(one, result)
        except (LineError, TimeError) as error:
            yield _unread(one, [result], position, error)


def _unread(one: Bucket, results: list[Json], position: int, error: Exception) -> Unread:
    raw = json.dumps({"data": [{**one, "results": results}]}, default=str, sort_keys=True)
    return Unread(position=position, reason=str(error), raw=raw)


def _span(one: Bucket) -> tuple[dt.datetime, dt.datetime]:
    if "start_time" in one:
        ends = [epoch_moment(float(_second(one, name)), name).at for name in ("start_time", "end_time")]
    else:
        ends = [read_moment(str(one.get(name)), dt.UTC, name).at for name in ("starting_at", "ending_at")]
    return bucket(ends[0], ends[1])


def _second(one: Bucket, name: str) -> int:
    seconds = count(_cell(one.get(name)), name)
    if seconds is None:
        raise LineError(f"{name} is missing")
    return seconds


def _openai_usage(one: Bucket, result: Mapping[str, Json]) -> Line:
    start, end = _span(one)
    kind = str(result.get("object", "")).removeprefix("organization.usage.").removesuffix(".result")
    has_tokens = result.get("input_tokens") is not None
    return Line(
        kind="usage",
        provider="openai",
        start=start,
        end=end,
        model=_name(result.get("model")),
        item=None if has_tokens else kind.replace("_", " ") or None,
        request_count=count(_cell(result.get("num_model_requests")), "num_model_requests"),
        input_tokens=count(_cell(result.get("input_tokens")), "input_tokens"),
        # embeddings and moderations answer with no tokens at all
        output_tokens=count(_cell(result.get("output_tokens", 0 if has_tokens else None)), "output_tokens"),
        cache_read_tokens=count(_cell(result.get("input_cached_tokens")), "input_cached_tokens"),
        is_cache_in_input=True if has_tokens else None,
    )


def _openai_cost(one: Bucket, result: Mapping[str, Json]) -> Line:
    start, end = _span(one)
    amount = result.get("amount")
    if not isinstance(amount, dict) or amount.get("value") is None:
        raise LineError("amount is missing")
    usd_only(_cell(amount.get("currency")))
    model, item = split_line_item(_name(result.get("line_item")))
    cost = money(_cell(amount.get("value")), "amount.value")
    return Line(
        kind="cost", provider="openai", start=start, end=end, model=model, item=item, cost_nano_usd=cost
    )


def split_line_item(text: str | None) -> tuple[str | None, str | None]:
    """Model and item of OpenAI's line items: ``gpt-4o-2024-08-06, input`` and ``gpt-4o`` name a model.

    What has a space before the comma is no model id but the name of a tool or a product.
    """
    if text is None:
        return None, None
    name, _, kind = text.rpartition(", ")
    model = name or kind
    if " " in model:
        return None, text
    return model, kind.strip().lower() if name else None


def _anthropic_usage(one: Bucket, result: Mapping[str, Json]) -> Line:
    start, end = _span(one)
    written = result.get("cache_creation")
    writes = written if isinstance(written, dict) else {}
    known = [count(_cell(writes.get(name)), name) for name in writes if name.startswith("ephemeral_")]
    return Line(
        kind="usage",
        provider="anthropic",
        start=start,
        end=end,
        model=_name(result.get("model")),
        input_tokens=count(_cell(result.get("uncached_input_tokens")), "uncached_input_tokens"),
        output_tokens=count(_cell(result.get("output_tokens")), "output_tokens"),
        cache_read_tokens=count(_cell(result.get("cache_read_input_tokens")), "cache_read_input_tokens"),
        cache_write_tokens=sum(tokens for tokens in known if tokens is not None) if known else None,
        is_cache_in_input=False,
    )


def _anthropic_cost(one: Bucket, result: Mapping[str, Json]) -> Line:
    start, end = _span(one)
    usd_only(_cell(result.get("currency")))
    cost = money(_cell(result.get("amount")), "amount", per_usd=_CENTS)
    if cost is None:
        raise LineError("amount is missing")
    model = _name(result.get("model"))
    item = _name(result.get("token_type")) or (None if model else _name(result.get("cost_type")))
    return Line(
        kind="cost",
        provider="anthropic",
        start=start,
        end=end,
        model=model,
        item=item or (None if model else _name(result.get("description"))),
        cost_nano_usd=cost,
    )


def _cell(value: Json) -> Cell:
    if isinstance(value, dict | list):
        raise LineError("a list or an object stands where a number or a word should")
    return value


def _name(value: Json) -> str | None:
    cell = _cell(value)
    return str(cell).strip()[:200] or None if cell is not None else None
