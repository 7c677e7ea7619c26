"""Hand-made spans for the tests of dialects, in the shape in which the receiver stores them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest.dialects.assemble import Run, assemble
from ingest.dialects.spans import MappedSpan, map_span
from ingest.receivers.decode import Decoded, Signal, decode_protobuf
from ingest.receivers.decode_json import decode_json

TRACE = "0af7651916cd43dd8448eb211c80319c"
SECOND = 10**9
START = 1_795_000_000 * SECOND


def span(
    number: int,
    attributes: dict[str, Any] | None = None,
    *,
    parent: int | None = None,
    name: str = "span",
    at: float = 0,
    seconds: float | None = 1,
    **more: Any,
) -> dict[str, Any]:
    """A raw span with the id ``number``, ``at`` seconds after the start of its trace."""
    raw = {
        "signal": "span",
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "name": name,
        "start_ns": START + int(at * SECOND),
        "end_ns": 0 if seconds is None else START + int((at + seconds) * SECOND),
        "attributes": attributes or {},
        "resource": {"service.name": "refund-service"},
        "scope": {"name": "test"},
    }
    if parent is not None:
        raw["parent_span_id"] = f"{parent:016x}"
    return raw | more


def agent(number: int, name: str, **more: Any) -> dict[str, Any]:
    """An agent span."""
    return span(number, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}, **more)


def chat(
    number: int, input_tokens: int | None = 10, output_tokens: int | None = 5, **more: Any
) -> dict[str, Any]:
    """A model call with usage; None leaves a count out."""
    usage = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    own = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"} | {
        key: count for key, count in usage.items() if count is not None
    }
    return span(number, own | more.pop("attributes", {}), **more)


def tool(number: int, name: str = "lookup_order", **more: Any) -> dict[str, Any]:
    """A tool call."""
    return span(number, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}, **more)


def log(event_name: str, attributes: dict[str, Any], *, of: int | None = None, **more: Any) -> dict[str, Any]:
    """A log record; ``of`` is the span it belongs to."""
    return {
        "signal": "log",
        "trace_id": TRACE if of is not None else "",
        "span_id": f"{of:016x}" if of is not None else "",
        "event_name": event_name,
        "time_ns": START + SECOND,
        "observed_ns": START + SECOND,
        "body": None,
        "attributes": attributes,
        "resource": {"service.name": "refund-service"},
        "scope": {"name": "test"},
    } | more


def mapped(*raws: dict[str, Any]) -> list[MappedSpan]:
    """What the raw spans mean."""
    return [map_span(raw) for raw in raws]


def runs(*raws: dict[str, Any]) -> list[Run]:
    """The runs that the raw spans make."""
    return assemble(mapped(*raws))


def input_tokens(found: list[Run]) -> int:
    """All input tokens of all turns."""
    usages = [turn.span.usage for run in found for turn in run.turns]
    return sum(usage.all_input_tokens or 0 for usage in usages if usage)


def output_tokens(found: list[Run]) -> int:
    """All output tokens of all turns."""
    usages = [turn.span.usage for run in found for turn in run.turns]
    return sum(usage.all_output_tokens or 0 for usage in usages if usage)


def wire_records(path: Path) -> Decoded:
    """The records of a payload of ../shared/data/wire, by its name: signal, protobuf or JSON."""
    signal: Signal = "logs" if ".logs." in path.name else "traces"
    decode = decode_protobuf if path.suffix == ".pb" else decode_json
    return decode(signal, path.read_bytes())


def wire_spans(*paths: Path) -> list[MappedSpan]:
    """What the records of these payloads mean."""
    return [map_span(record) for path in paths for record in wire_records(path).records]


def expected(folder: Path, name: str = "EXPECTED.json") -> dict[str, Any]:
    """The expected results beside the payloads of ``folder``."""
    content: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return content
