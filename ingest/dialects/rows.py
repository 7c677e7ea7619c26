"""Runs, turns, tool calls, verdicts and approvals of outside agents as Arrow tables: what the build reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from ingest.dialects.aliases import MAPPING_VERSION
from ingest.dialects.assemble import Run, ToolCall, Turn, assemble
from ingest.dialects.said import Decision, Said, Verdict, said_about, said_of
from ingest.dialects.schemas import APPROVAL_SCHEMA, RUN_SCHEMA, TOOL_CALL_SCHEMA, TURN_SCHEMA, VERDICT_SCHEMA
from ingest.dialects.spans import MappedSpan, map_span
from ingest.dialects.stored import stored_spans
from ingest.dialects.usage import Usage

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
    """The tables of the schemas below, in their order."""

    runs: pa.Table
    turns: pa.Table
    tool_calls: pa.Table
    verdicts: pa.Table
    approvals: pa.Table


_Row = dict[str, object]
_Origins = Mapping[tuple[str, str], Arrived]
_Called = tuple[str | None, int | None]


def mapped_rows(spans: Iterable[str | Arrived]) -> MappedTables:
    """The runs, turns and tool calls in stored ``spans``: the ``span_json`` of events, alone or as Arrived.

    Spans may come in any order and more than once. What is no JSON object is left out. All spans of a trace
    must be in one call.
    """
    mapped: list[MappedSpan] = []
    said: list[Verdict | Decision] = []
    origins: dict[tuple[str, str], Arrived] = {}
    for span in spans:
        arrived = Arrived(span_json=span) if isinstance(span, str) else span
        for raw in stored_spans(arrived.span_json):
            one = map_span(raw)
            mapped.append(one)
            said += said_of(raw, one)
            _note(origins, one, arrived)
    runs: list[_Row] = []
    turns: list[_Row] = []
    calls: list[_Row] = []
    verdicts: list[_Row] = []
    approvals: list[_Row] = []
    assembled = assemble(mapped)
    about = said_about(assembled, said)
    for run in assembled:
        shared = _shared(run, origins)
        told = about.get(run.run_id) or Said()
        decisions = {_decided(made): made for made in told.decisions}
        runs.append(shared | _run_row(run, origins))
        turns += [shared | _turn_row(turn, origins) for turn in run.turns]
        calls += [shared | _call_row(call, origins, decisions) for call in run.tool_calls]
        verdicts += [shared | _verdict_row(number, one) for number, one in enumerate(told.verdicts)]
        approvals += [shared | _approval_row(run, number, one) for number, one in enumerate(told.decisions)]
    return MappedTables(
        pa.Table.from_pylist(runs, RUN_SCHEMA),
        pa.Table.from_pylist(turns, TURN_SCHEMA),
        pa.Table.from_pylist(calls, TOOL_CALL_SCHEMA),
        pa.Table.from_pylist(verdicts, VERDICT_SCHEMA),
        pa.Table.from_pylist(approvals, APPROVAL_SCHEMA),
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
    members = [turn.span for turn in run.turns] + [call.span for call in run.tool_calls]
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
        "is_log_only": root is None and all(span.signal == "log" for span in members),
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


def _decided(made: Decision) -> _Called:
    """The call that was decided on: by its id, else by tool and moment: one event tells of both."""
    return (made.tool_call_id, None) if made.tool_call_id else (made.tool_name, made.place.said_ns)


def _called(span: MappedSpan) -> _Called:
    return (span.tool_call_id, None) if span.tool_call_id else (span.tool_name, span.end_ns)


def _call_row(call: ToolCall, origins: _Origins, decisions: Mapping[_Called, Decision]) -> _Row:
    span = call.span
    made = decisions.get(_called(span))
    is_failed = span.is_error
    outcome = "failed" if is_failed else "succeeded"
    if made is not None and made.decision == "rejected":  # then it was not executed, whatever its span says
        outcome, is_failed = ("refused" if made.decider_kind == "policy" else "denied"), False
    return {
        "call_index": call.call_index,
        "turn_index": call.turn_index,
        "tool_call_id": span.tool_call_id,
        "tool_name": span.tool_name or "unknown",
        "called_by": "agent",
        "tool_outcome": outcome,
        "tool_error_class": "unclassified" if is_failed else None,
        **_span_columns(span, origins),
    }


def _verdict_row(number: int, verdict: Verdict) -> _Row:
    return {
        "outcome_kind": verdict.outcome_kind,
        "outcome_name": verdict.outcome_name,
        "is_good": verdict.is_good,
        "score_micro": verdict.score_micro,
        "said_at": _at(verdict.place.said_ns),
        "part": f"{verdict.outcome_name}/{verdict.place.span_id}/{number}",
    }


def _approval_row(run: Run, number: int, made: Decision) -> _Row:
    call = next((call for call in run.tool_calls if _called(call.span) == _decided(made)), None)
    return {
        "approval_id": f"{run.run_id}-{made.tool_call_id or number}",
        "call_index": call.call_index if call else None,
        "tool_name": made.tool_name or (call.span.tool_name if call else None),
        "decision": made.decision,
        "source_decision": made.source_decision,
        "decider_kind": made.decider_kind,
        "person_id": made.person_id,
        "said_at": _at(made.place.said_ns),
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
