"""Trace files that are no OTLP but hold spans: any-agent dumps and Langfuse exports, as raw spans."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from ingest.dialects.spans import STATUS_ERROR
from ingest.dialects.values import Json, object_of

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
# Columns of a Langfuse observation, under the names that Langfuse's own SDKs give them in spans.
_LANGFUSE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("level", "langfuse.observation.level"),
    ("statusMessage", "langfuse.observation.status_message"),
    ("model", "langfuse.observation.model.name"),
    ("usageDetails", "langfuse.observation.usage_details"),
    ("costDetails", "langfuse.observation.cost_details"),
    ("input", "langfuse.observation.input"),
    ("output", "langfuse.observation.output"),
)


def spans_of_any_agent(document: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The spans of an any-agent ``AgentTrace`` dump; its ids are 128-bit integers."""
    return [_any_agent_span(span) for span in _objects(document.get("spans"))]


def spans_of_langfuse(document: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The observations of a Langfuse trace export as spans, with the attributes they arrived with."""
    trace = object_of(document.get("trace"))
    observations = _objects(document.get("observations"))
    return [_langfuse_span(trace, observation) for observation in observations]


def _objects(value: Json) -> list[Mapping[str, Json]]:
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [row for row in rows if isinstance(row, Mapping)]


def _hex(value: Json, digits: int) -> str:
    return f"{value:0{digits}x}" if isinstance(value, int) and 0 < value < 16**digits else ""


def _any_agent_span(span: Mapping[str, Json]) -> dict[str, Json]:
    context = object_of(span.get("context"))
    is_error = object_of(span.get("status")).get("status_code") == "error"
    return {
        "signal": "span",
        "trace_id": _hex(context.get("trace_id"), 32),
        "span_id": _hex(context.get("span_id"), 16),
        "parent_span_id": _hex(object_of(span.get("parent")).get("span_id"), 16),
        "name": span.get("name"),
        "start_ns": span.get("start_time"),
        "end_ns": span.get("end_time"),
        "attributes": object_of(span.get("attributes")),
        "events": span.get("events"),
        "status": {"code": STATUS_ERROR if is_error else 0},
        "resource": object_of(object_of(span.get("resource")).get("attributes")),
        "scope": {"name": "any_agent"},
    }


def _langfuse_span(trace: Mapping[str, Json], observation: Mapping[str, Json]) -> dict[str, Json]:
    metadata = object_of(observation.get("metadata"))
    kind = observation.get("type")
    columns = {name: observation.get(column) for column, name in _LANGFUSE_COLUMNS}
    return {
        "signal": "span",
        "trace_id": observation.get("traceId") or trace.get("id"),
        "span_id": observation.get("id"),
        "parent_span_id": observation.get("parentObservationId"),
        "name": observation.get("name"),
        "start_ns": _ns(observation.get("startTime")),
        "end_ns": _ns(observation.get("endTime")),
        "attributes": {
            **object_of(metadata.get("attributes")),
            **{name: value for name, value in columns.items() if value not in (None, "", {})},
            "langfuse.observation.type": kind.lower() if isinstance(kind, str) else None,
            "langfuse.session.id": trace.get("sessionId"),
            "langfuse.user.id": trace.get("userId"),
        },
        "status": {"code": STATUS_ERROR if observation.get("level") == "ERROR" else 0},
        "resource": object_of(metadata.get("resourceAttributes")),
        "scope": object_of(metadata.get("scope")),
    }


def _ns(value: Json) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 text; None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // _MICROSECOND * 1000
