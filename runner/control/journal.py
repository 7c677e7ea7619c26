"""The journal of tool calls: what was asked for, what may have had an effect, what came back.

A finished call is never executed again; one that was started and has no result is for a person to decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value
from runner.control.prepared import Prepared, Row
from runner.control.store import Subject, Transaction, envelope
from runner.control.tables import tool_calls

State: TypeAlias = Literal["requested", "started", "finished"]
Outcome: TypeAlias = Literal["succeeded", "failed", "refused", "denied", "unknown"]
ErrorClass: TypeAlias = Literal["invalid_args", "upstream", "timeout", "crash", "unclassified"]

_C = tool_calls.c
_THIS = sa.and_(_C.run_id == sa.bindparam("of_run"), _C.call_index == sa.bindparam("call"))
_ONE = Prepared(sa.select(tool_calls).where(_THIS))
_OF_TURN = (
    sa.select(tool_calls)
    .where(_C.run_id == sa.bindparam("of_run"), _C.turn_index == sa.bindparam("turn"))
    .order_by(_C.call_index)
)
_UNFINISHED = Prepared(
    sa.select(tool_calls)
    .where(_C.run_id == sa.bindparam("of_run"), _C.state != "finished")
    .order_by(_C.call_index)
)
_START = Prepared(
    sa.update(tool_calls)
    .where(_THIS, _C.state == sa.bindparam("was"))
    .values(state="started", started_at=sa.bindparam("now"))
)
_FINISH = Prepared(
    sa.update(tool_calls)
    .where(_THIS, _C.state != "finished")
    .values(
        state="finished",
        tool_outcome=sa.bindparam("outcome"),
        result=sa.bindparam("content"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One tool call of a run. ``arguments`` is JSON: canonical and validated where there is a digest."""

    call_index: int
    turn_index: int
    tool_call_id: str
    tool_name: str
    tool_effect: str | None
    arguments: str
    arguments_digest: str | None
    state: State = "requested"
    tool_outcome: Outcome | None = None
    result: str | None = None


@dataclass(frozen=True, kw_only=True)
class End:
    """How a call ended: outcome, the text that goes to the model and the log, and for a failure its class.

    ``delegate_run_id`` is the run that answered, ``content_sha256`` the digest of a result that was cut.
    """

    outcome: Outcome
    result: str
    error_class: ErrorClass | None = None
    error_type: str | None = None
    refusal_rule: str | None = None
    approval_id: str | None = None
    duration_ns: int | None = None
    reason: str | None = None
    delegate_run_id: str | None = None
    content_sha256: str | None = None


_FIELDS = tuple(Call.__dataclass_fields__)
_PUT = Prepared(sa.insert(tool_calls), "run_id", *_FIELDS)


def of_turn(connection: Connection, run_id: str, turn_index: int) -> list[Call]:
    """The calls of one model turn, in the order in which the model asked."""
    return [_call(row) for row in connection.execute(_OF_TURN, {"of_run": run_id, "turn": turn_index})]


def find(connection: Connection, run_id: str, call_index: int) -> Call | None:
    """One call of a run that has not ended, or None."""
    row = _ONE.first(connection, {"of_run": run_id, "call": call_index})
    return None if row is None else _call(row)


def record(tx: Transaction, run: Subject, calls: Iterable[tuple[Call, bool | None]]) -> None:
    """The calls a model asked for: journal rows, and the intent of each as an event with its arguments.

    With each call comes whether a rule has a person decide it, None without a rule.
    """
    rows = []
    for call, is_approval_needed in calls:
        row: dict[str, object] = {name: getattr(call, name) for name in _FIELDS}
        rows.append({**row, "run_id": run.run_id})
        tx.emit(
            "tool_call_requested",
            _columns(run, call),
            text=call.arguments,
            kind="arguments",
            tool_effect=call.tool_effect,
            called_by="agent",
            arguments_digest=call.arguments_digest,
            turn_index=call.turn_index,
            is_approval_needed=is_approval_needed,
        )
    if rows:
        _PUT.many(tx.sql, rows)


def start(tx: Transaction, run_id: str, call: Call, *, again: bool = False) -> bool:
    """Mark that the call may have an effect from now on; False when it was started before."""
    was = "started" if again else "requested"
    values = {"of_run": run_id, "call": call.call_index, "was": was, "now": tx.now}
    return _START.changed(tx.sql, values) == 1


def finish(tx: Transaction, run: Subject, call: Call, end: End) -> bool:
    """Record how the call ended, with its event; False, and nothing written, when it had ended before."""
    values = {
        "of_run": run.run_id,
        "call": call.call_index,
        "outcome": end.outcome,
        "content": end.result,
    }
    if _FINISH.changed(tx.sql, values) != 1:
        return False
    tx.emit(
        "tool_call_finished",
        _columns(run, call),
        text=end.result,
        kind="result",
        called_by="agent",
        tool_outcome=end.outcome,
        tool_error_class=end.error_class,
        error_type=end.error_type,
        duration_ns=end.duration_ns,
        refusal_rule=end.refusal_rule,
        arguments_digest=call.arguments_digest,
        approval_id=end.approval_id,
        reason=end.reason,
        delegate_run_id=end.delegate_run_id,
        content_sha256=end.content_sha256,
    )
    return True


def unfinished(connection: Connection, run_id: str) -> list[Call]:
    """Calls of a run without an end."""
    return [_call(row) for row in _UNFINISHED.all(connection, {"of_run": run_id})]


def _call(row: Row) -> Call:
    return Call(**{name: getattr(row, name) for name in _FIELDS})


def _columns(run: Subject, call: Call) -> dict[str, Value]:
    return {
        **envelope(run),
        "call_index": call.call_index,
        "tool_call_id": call.tool_call_id,
        "tool_name": call.tool_name,
    }
