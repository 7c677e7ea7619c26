"""Runs, turns and tool calls of outside agents as Arrow tables: the source that the warehouse reads.

The columns have the names and units of the event contract (``ingest/events.py``), so that outside and native
rows meet without translation. Two of them are fixed here: ``input_tokens`` holds the cached tokens
(``is_cache_in_input`` is true throughout) and ``output_tokens`` holds the reasoning tokens. Columns are only
added, never renamed or given another meaning; ``mapping_version`` says which alias table made the row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from ingest.dialects.aliases import MAPPING_VERSION
from ingest.dialects.assemble import Run, ToolCall, Turn, assemble
from ingest.dialects.spans import MappedSpan, map_span
from ingest.dialects.stored import stored_spans
from ingest.dialects.usage import Usage

_TIME = pa.timestamp("us", tz="UTC")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """Stored spans with the columns of their event that their rows carry on."""

    span_json: str
    team_id: str | None = None
    token_id: str | None = None
    payload_id: str | None = None
    recorded_via: str = "otlp"
    is_demo: bool = False


class MappedTables(NamedTuple):
    """The three tables of :data:`RUN_SCHEMA`, :data:`TURN_SCHEMA` and :data:`TOOL_CALL_SCHEMA`."""

    runs: pa.Table
    turns: pa.Table
    tool_calls: pa.Table


_SHARED: tuple[tuple[str, pa.DataType], ...] = (
    ("run_id", pa.string()),  # otel-<trace id>, for a delegated run with its span id behind it
    ("team_id", pa.string()),  # team of the token that sent it
    ("agent_id", pa.string()),  # name by which the agent calls itself, else its service, else its root span
    ("recorded_via", pa.string()),
    ("is_demo", pa.bool_()),
    ("mapping_version", pa.string()),
)
_USAGE: tuple[tuple[str, pa.DataType], ...] = (
    ("input_tokens", pa.int64()),  # all input, cached tokens inside
    ("output_tokens", pa.int64()),  # all output, reasoning inside
    ("cache_read_tokens", pa.int64()),
    ("cache_write_tokens", pa.int64()),
    ("cache_write_1h_tokens", pa.int64()),  # the part of cache_write_tokens that is kept for an hour
    ("reasoning_tokens", pa.int64()),
    ("is_cache_in_input", pa.bool_()),  # true
)
RUN_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("parent_run_id", pa.string()),
        ("root_run_id", pa.string()),
        ("is_delegated", pa.bool_()),
        ("conversation_id", pa.string()),
        ("actor_id", pa.string()),  # the person the sender names
        ("trace_id", pa.string()),
        ("token_id", pa.string()),
        ("source_agent", pa.string()),  # agent name as stated, null when none is
        ("source_domain", pa.string()),  # service name
        ("source_name", pa.string()),  # name of the run's own span
        ("dialect", pa.string()),
        ("requested_at", _TIME),  # start of the run's span, else of its first span
        ("ended_at", _TIME),  # end of the run's own span; null while that is missing
        ("last_seen_at", _TIME),  # last time in any span of the run
        ("end_state", pa.string()),  # completed, failed; null while ended_at is
        ("error_type", pa.string()),
        ("machine_ns", pa.int64()),  # duration of the run's own span
        *_USAGE,  # of the run as a whole, only where no turn of it is known
        ("reported_cost_nano_usd", pa.int64()),  # as the run's own span states it, likewise
        ("turn_count", pa.int64()),
        ("tool_call_count", pa.int64()),
        ("retrieval_count", pa.int64()),
        ("span_count", pa.int64()),
    ]
)
TURN_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("turn_index", pa.int64()),
        ("attempt", pa.int64()),  # 1: senders do not tell retries apart
        ("provider_name", pa.string()),
        ("requested_model", pa.string()),
        ("served_model", pa.string()),
        ("response_id", pa.string()),
        ("requested_at", _TIME),
        ("finished_at", _TIME),
        *_USAGE,
        ("reported_cost_nano_usd", pa.int64()),
        ("finish_reason", pa.string()),
        ("error_type", pa.string()),
        ("duration_ns", pa.int64()),
        ("payload_id", pa.string()),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("dialect", pa.string()),
    ]
)
TOOL_CALL_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("call_index", pa.int64()),
        ("turn_index", pa.int64()),
        ("tool_call_id", pa.string()),
        ("tool_name", pa.string()),
        ("called_by", pa.string()),  # agent
        ("requested_at", _TIME),
        ("finished_at", _TIME),
        ("tool_outcome", pa.string()),  # succeeded, failed; a refusal by a person is not visible in spans
        ("tool_error_class", pa.string()),  # unclassified for a failed call
        ("error_type", pa.string()),
        ("duration_ns", pa.int64()),
        ("payload_id", pa.string()),  # arguments and result
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("dialect", pa.string()),
    ]
)

_Row = dict[str, object]
_Origins = Mapping[tuple[str, str], Arrived]


def mapped_rows(spans: Iterable[str | Arrived]) -> MappedTables:
    """The runs, turns and tool calls in stored ``spans``: the ``span_json`` of events, alone or as Arrived.

    Spans may come in any order and more than once. What is no JSON object is left out. All spans of a trace
    must be in one call.
    """
    mapped: list[MappedSpan] = []
    origins: dict[tuple[str, str], Arrived] = {}
    for span in spans:
        arrived = Arrived(span_json=span) if isinstance(span, str) else span
        for raw in stored_spans(arrived.span_json):
            one = map_span(raw)
            mapped.append(one)
            _note(origins, one, arrived)
    runs: list[_Row] = []
    turns: list[_Row] = []
    calls: list[_Row] = []
    for run in assemble(mapped):
        shared = _shared(run, origins)
        runs.append(shared | _run_row(run, origins))
        turns += [shared | _turn_row(turn, origins) for turn in run.turns]
        calls += [shared | _call_row(call, origins) for call in run.tool_calls]
    return MappedTables(
        pa.Table.from_pylist(runs, RUN_SCHEMA),
        pa.Table.from_pylist(turns, TURN_SCHEMA),
        pa.Table.from_pylist(calls, TOOL_CALL_SCHEMA),
    )


def _note(origins: dict[tuple[str, str], Arrived], span: MappedSpan, arrived: Arrived) -> None:
    """Of several tellings of a span the first one counts, or the first one with a payload."""
    key = (span.trace_id, span.span_id)
    known = origins.get(key)
    if known is None or (known.payload_id is None and arrived.payload_id is not None):
        origins[key] = arrived


def _origin(origins: _Origins, span: MappedSpan) -> Arrived | None:
    return origins.get((span.trace_id, span.span_id.partition(":")[0]))


def _shared(run: Run, origins: _Origins) -> _Row:
    members = [run.root] if run.root else []
    members += [turn.span for turn in run.turns] + [call.span for call in run.tool_calls]
    found = (_origin(origins, member) for member in members)
    origin = next((one for one in found if one is not None), None) or Arrived(span_json="")
    return {
        "run_id": run.run_id,
        "team_id": origin.team_id,
        "token_id": origin.token_id,
        "agent_id": run.agent_name or run.service_name or run.name or "unknown",
        "recorded_via": origin.recorded_via,
        "is_demo": origin.is_demo,
        "mapping_version": MAPPING_VERSION,
    }


def _run_row(run: Run, origins: _Origins) -> _Row:
    end_state = None if run.end_ns is None else "failed" if run.is_error else "completed"
    root = run.root
    return {
        "parent_run_id": run.parent_run_id,
        "root_run_id": run.root_run_id,
        "is_delegated": run.parent_run_id is not None,
        "conversation_id": run.conversation_id,
        "actor_id": run.person_id,
        "trace_id": run.trace_id,
        "source_agent": run.agent_name,
        "source_domain": run.service_name,
        "source_name": run.name or None,
        "dialect": _dialect(run),
        "requested_at": _at(run.start_ns),
        "ended_at": _at(run.end_ns),
        "last_seen_at": _at(run.last_seen_ns),
        "end_state": end_state,
        "error_type": run.error_type,
        "machine_ns": root.duration_ns if root else None,
        **_usage(run.usage),
        "reported_cost_nano_usd": root.reported_cost_nano_usd if root and run.usage else None,
        "turn_count": len(run.turns),
        "tool_call_count": len(run.tool_calls),
        "retrieval_count": run.retrieval_count,
        "span_count": run.span_count,
    }


def _dialect(run: Run) -> str:
    """The dialect of the run's own span, else of its first call."""
    calls = [turn.span for turn in run.turns[:1]] + [call.span for call in run.tool_calls[:1]]
    spans = [run.root, *calls] if run.root else calls
    return next((span.dialect for span in spans if span.dialect != "unknown"), "unknown")


def _turn_row(turn: Turn, origins: _Origins) -> _Row:
    span = turn.span
    return {
        "turn_index": turn.turn_index,
        "attempt": 1,
        "provider_name": span.provider_name,
        "requested_model": span.requested_model,
        "served_model": span.served_model,
        "response_id": span.response_id,
        **_usage(span.usage),
        "reported_cost_nano_usd": span.reported_cost_nano_usd,
        "finish_reason": span.finish_reason,
        **_span_columns(span, origins),
    }


def _call_row(call: ToolCall, origins: _Origins) -> _Row:
    span = call.span
    return {
        "call_index": call.call_index,
        "turn_index": call.turn_index,
        "tool_call_id": span.tool_call_id,
        "tool_name": span.tool_name or "unknown",
        "called_by": "agent",
        "tool_outcome": "failed" if span.is_error else "succeeded",
        "tool_error_class": "unclassified" if span.is_error else None,
        **_span_columns(span, origins),
    }


def _span_columns(span: MappedSpan, origins: _Origins) -> _Row:
    origin = _origin(origins, span)
    return {
        "requested_at": _at(span.start_ns),
        "finished_at": _at(span.end_ns),
        "error_type": span.error_type,
        "duration_ns": span.duration_ns,
        "payload_id": origin.payload_id if origin else None,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "dialect": span.dialect,
    }


def _usage(usage: Usage | None) -> _Row:
    known = usage or Usage()
    return {
        "input_tokens": known.all_input_tokens,
        "output_tokens": known.all_output_tokens,
        "cache_read_tokens": known.cache_read_tokens,
        "cache_write_tokens": known.cache_write_tokens,
        "cache_write_1h_tokens": known.cache_write_1h_tokens,
        "reasoning_tokens": known.reasoning_tokens,
        "is_cache_in_input": True,
    }


def _at(moment_ns: int | None) -> dt.datetime | None:
    return None if moment_ns is None else _EPOCH + dt.timedelta(microseconds=moment_ns // 1000)
