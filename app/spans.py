"""Runs of agents that send spans, as events of the contract, made anew from the stored spans at each build.

The log keeps spans as they arrived. What they mean is mapped here before dbt reads the log, so that outside
and native runs meet in the same tables, and a name that the senders' standard changes is mended over all
history. Events made here are derived: no writer has them in its chain (``writer_id`` is null).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import Value, arrow_schema, derived_event_id
from ingest.dialects.rows import Arrived, mapped_rows
from ingest.importers.mapping import Mappings, load_mappings, outside_agent_id
from ingest.workspace import Workspace

SPAN_TYPES = ("otel_span", "otel_log")
_READ = (
    "event_id",
    "event_type",
    "span_json",
    "team_id",
    "token_id",
    "payload_id",
    "recorded_via",
    "recorded_at",
    "is_demo",
)
# Log records tell of calls, never that a run is over: one silent for so long ended with its last call.
IDLE = dt.timedelta(hours=6)
IDLE_REASON = "the source states no end: silent for 6 hours"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Row: TypeAlias = dict[str, object]
Event: TypeAlias = dict[str, Value]


def write_mapped(
    workspace: Workspace,
    files: Sequence[Path],
    target: Path,
    *,
    now: dt.datetime,
    recorded_before: dt.datetime | None = None,
) -> int:
    """Write the events that the spans in ``files`` mean at ``now`` to ``target``; returns how many there are.

    With ``recorded_before`` they mean what they meant at that moment, to whoever had those that were recorded
    by then. ``target`` has the contract's schema; without spans it is not written. Raises MappingError when
    the aliases of registry.yaml cannot be read, OSError when a file cannot.
    """
    spans = list(_spans(files, recorded_before))
    if not spans:
        return 0
    mappings = load_mappings(workspace, team=None, agent=None, mapping_file=None)
    events = list(_told(spans, mappings, min(now, recorded_before or now)))
    schema = arrow_schema()
    names = schema.names
    rows = [{name: event.get(name) for name in names} for event in events]
    pq.write_table(pa.Table.from_pylist(rows, schema), target, compression="zstd")
    return len(events)


def _spans(files: Iterable[Path], before: dt.datetime | None) -> Iterator[Arrived]:
    """The stored spans and log records in ``files`` that were recorded ``before``, each delivery once."""
    seen: set[str] = set()
    for path in _with_spans(files):
        with pq.ParquetFile(path) as file:
            if "span_json" not in file.schema_arrow.names:
                continue
            for group in range(file.num_row_groups):
                types = file.read_row_group(group, columns=["event_type"])["event_type"]
                wanted = pc.is_in(types, value_set=pa.array(SPAN_TYPES))
                if not pc.any(wanted).as_py():
                    continue
                held = [name for name in _READ if name in file.schema_arrow.names]
                for row in file.read_row_group(group, columns=held).filter(wanted).to_pylist():
                    if before is not None and row["recorded_at"] >= before:
                        continue
                    if row["event_id"] not in seen:
                        seen.add(row["event_id"])
                        yield _arrived(row)


def _with_spans(files: Iterable[Path]) -> list[Path]:
    """Those of ``files`` that hold a span or log record: one column of all is read, in a moment."""
    paths = {str(path): path for path in files}
    if not paths:
        return []
    with duckdb.connect() as memory:
        found = memory.execute(
            "select distinct filename from read_parquet(?, union_by_name = true, hive_partitioning = false, "
            "filename = true) where event_type in ?",
            [list(paths), list(SPAN_TYPES)],
        ).fetchall()
    held = {name for (name,) in found}
    return [path for name, path in paths.items() if name in held]


def _arrived(row: Row) -> Arrived:
    return Arrived(
        span_json=str(row["span_json"] or ""),
        team_id=_text(row.get("team_id")),
        token_id=_text(row.get("token_id")),
        payload_id=_text(row.get("payload_id")),
        recorded_via=str(row["recorded_via"]),
        is_demo=bool(row["is_demo"]),
    )


def _told(spans: Iterable[Arrived], mappings: Mappings, now: dt.datetime) -> Iterator[Event]:
    """The events of all runs: who asked, turns and calls, totals where only those are known, and the end."""
    tables = mapped_rows(spans)
    turns, calls = _by_run(tables.turns), _by_run(tables.tool_calls)
    verdicts, approvals = _by_run(tables.verdicts), _by_run(tables.approvals)
    for run in tables.runs.to_pylist():
        run_turns, run_calls = turns.get(run["run_id"], []), calls.get(run["run_id"], [])
        model = next((str(turn["requested_model"]) for turn in run_turns if turn["requested_model"]), "")
        shared = _shared(run, mappings, model)
        begun = run["requested_at"] or run["last_seen_at"] or _EPOCH
        yield from _begin(run, shared, begun, model)
        for turn in run_turns:
            yield from _turn(turn, shared, begun)
        for call in run_calls:
            yield from _call(call, shared, begun)
        yield from (_approval(one, shared, begun) for one in approvals.get(run["run_id"], []))
        yield from (_verdict(one, shared, begun) for one in verdicts.get(run["run_id"], []))
        yield from _end(run, shared, begun, now)


def _by_run(table: pa.Table) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        found.setdefault(row["run_id"], []).append(row)
    return found


def _shared(run: Row, mappings: Mappings, model: str) -> Event:
    """What all events of a run carry. The sender's token says the team unless an alias names another."""
    placed = mappings.place(
        source_agent=str(run["source_agent"] or run["agent_id"]),
        source_domain=str(run["source_domain"] or ""),
        model=model,
        file="",
        token=str(run["token_id"] or ""),
    )
    return {
        "run_id": str(run["run_id"]),
        "agent_id": placed.agent_id if placed.is_mapped else outside_agent_id(str(run["agent_id"]), ""),
        "team_id": placed.team_id or _text(run["team_id"]),
        "recorded_via": str(run["recorded_via"]),
        "is_demo": bool(run["is_demo"]),
        "actor_id": _text(run["actor_id"]),
        "parent_run_id": _text(run["parent_run_id"]),
        "conversation_id": _text(run["conversation_id"]),
    }


def _begin(run: Row, shared: Event, begun: dt.datetime, model: str) -> Iterator[Event]:
    yield _event(
        "run_requested",
        "0",
        begun,
        shared,
        {
            "trigger_kind": "delegate" if run["is_delegated"] else "import",
            "source_run_id": _text(run["trace_id"]),
            "source_agent": _text(run["source_agent"] or run["agent_id"]),
            "source_domain": _text(run["source_domain"]),
            "is_time_stated": None if run["requested_at"] else False,
            "requested_model": model or None,
        },
    )
    yield _event("run_started", "0", begun, shared, {})


def _turn(turn: Row, shared: Event, begun: dt.datetime) -> Iterator[Event]:
    part = str(turn["turn_index"])
    columns = _columns(turn, "turn_index", "attempt")
    columns["provider_name"] = _text(turn["provider_name"]) or "unknown"
    columns["requested_model"] = _text(turn["requested_model"] or turn["served_model"]) or "unknown"
    yield _event("turn_requested", part, _moment(turn["requested_at"]) or begun, shared, columns)
    if turn["finished_at"] is not None:
        answer = _columns(
            turn, "served_model", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
            "reasoning_tokens", "is_cache_in_input", "reported_cost_nano_usd", "finish_reason", "duration_ns",
            "error_type", "payload_id",
        )  # fmt: skip
        yield _event("turn_finished", part, _moment(turn["finished_at"]) or begun, shared, columns | answer)


def _call(call: Row, shared: Event, begun: dt.datetime) -> Iterator[Event]:
    part = str(call["call_index"])
    columns = _columns(call, "call_index", "tool_name", "tool_call_id", "called_by")
    asked = columns | _columns(call, "turn_index", "payload_id")
    yield _event("tool_call_requested", part, _moment(call["requested_at"]) or begun, shared, asked)
    if call["finished_at"] is not None:
        result = _columns(call, "tool_outcome", "tool_error_class", "error_type", "duration_ns", "payload_id")
        yield _event(
            "tool_call_finished", part, _moment(call["finished_at"]) or begun, shared, columns | result
        )


def _approval(approval: Row, shared: Event, begun: dt.datetime) -> Event:
    columns = _columns(
        approval, "approval_id", "call_index", "tool_name", "decision", "source_decision", "decider_kind",
        "person_id",
    )  # fmt: skip
    at = _moment(approval["said_at"]) or begun
    part = str(approval["approval_id"])
    return _event("approval_reported", part, at, shared, columns | {"approval_rule": "permission"})


def _verdict(verdict: Row, shared: Event, begun: dt.datetime) -> Event:
    columns = _columns(verdict, "outcome_kind", "outcome_name", "is_good", "score_micro")
    at = _moment(verdict["said_at"]) or begun
    return _event("outcome_recorded", str(verdict["part"]), at, shared, columns)


def _end(run: Row, shared: Event, begun: dt.datetime, now: dt.datetime) -> Iterator[Event]:
    ended = _moment(run["ended_at"])
    counted = _columns(
        run, "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
        "reported_cost_nano_usd",
    )  # fmt: skip
    if any(number is not None for number in counted.values()):
        yield _event("run_counted", "0", ended or begun, shared, counted)
    if ended is not None:
        closing = _columns(run, "end_state", "error_type", "machine_ns")
        yield _event("run_ended", "0", ended, shared, closing)
    elif run["is_log_only"] and (quiet := _moment(run["last_seen_at"])) and now - quiet >= IDLE:
        closing = {"end_state": "completed", "reason": IDLE_REASON}
        yield _event("run_ended", "0", quiet, shared, closing)


def _event(event_type: str, part: str, at: dt.datetime, shared: Event, columns: Event) -> Event:
    run_id = str(shared["run_id"])
    return {
        **shared,
        "event_id": derived_event_id(at, "span", run_id, event_type, part),
        "event_type": event_type,
        "occurred_at": at,
        "recorded_at": at,
        **columns,
    }


def _columns(row: Row, *names: str) -> Event:
    return {name: row[name] for name in names}  # type: ignore[misc]  # the schemas of rows.py say the types


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(value: object) -> dt.datetime | None:
    return value if isinstance(value, dt.datetime) else None
