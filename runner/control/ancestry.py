"""Delegated runs and the runs they work for: who stands above a run, and how its end reaches its parent.

A parent waits as data (pause reason ``delegate``). The end of its child finishes the call that asked for it,
in the same transaction, so that whoever resumes the parent replays the answer like any other result.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control import journal
from runner.control.journal import End
from runner.control.store import Subject, Transaction
from runner.control.tables import approvals, runs, tool_calls

_R = runs.c
_ENDED = ("ended", "refused")
_ABOVE = sa.select(
    _R.run_id, _R.parent_run_id, _R.agent_id, _R.agent_version, _R.team_id, _R.requested_by
).where(_R.run_id == sa.bindparam("of_run"))
_OPEN = (
    sa.select(_R.run_id)
    .where(_R.parent_run_id == sa.bindparam("of_run"), _R.status.not_in(_ENDED))
    .order_by(_R.requested_at, _R.run_id)
)
_WAITING = sa.select(sa.func.count()).where(
    approvals.c.run_id == sa.bindparam("of_run"), approvals.c.status == "waiting"
)
_READY = (
    sa.update(runs).where(_R.run_id == sa.bindparam("of_run"), _R.status == "waiting").values(status="ready")
)


@dataclass(frozen=True, kw_only=True)
class Above:
    """A run that another works for: what its wallets and its events need."""

    run_id: str
    parent_run_id: str | None
    agent_id: str
    agent_version: int
    team_id: str
    requested_by: str


def ancestors(connection: Connection, parent_run_id: str | None) -> tuple[Above, ...]:
    """The runs above a run with this parent, nearest first; empty for a run that nobody delegated."""
    found: list[Above] = []
    next_id = parent_run_id
    while next_id is not None:
        row = connection.execute(_ABOVE, {"of_run": next_id}).first()
        if row is None:
            break
        found.append(Above(**row._mapping))
        next_id = row.parent_run_id
    return tuple(found)


def open_children(connection: Connection, run_id: str) -> list[str]:
    """Runs that ``run_id`` has delegated and that have not ended, oldest first."""
    return list(connection.execute(_OPEN, {"of_run": run_id}).scalars())


def release(tx: Transaction, run_id: str) -> None:
    """Let a waiting run go on when neither a delegate nor a person is left to wait for."""
    is_held = open_children(tx.sql, run_id) or tx.sql.execute(_WAITING, {"of_run": run_id}).scalar_one()
    if not is_held:
        tx.sql.execute(_READY, {"of_run": run_id})


def child_ended(
    tx: Transaction, child: Subject, end_state: str, *, answer: str | None, reason: str | None
) -> None:
    """Finish the parent's call that asked for ``child``, with its answer or why there is none.

    Call it after the child's row says that it has ended. Nothing happens when the parent ended before.
    """
    parent_run_id = child.parent_run_id
    if parent_run_id is None:
        return
    # Whoever parks the parent right now comes before or after, not in between: a wake-up is never lost.
    tx.sql.execute(sa.select(_R.run_id).where(_R.run_id == parent_run_id).with_for_update())
    index = tx.sql.execute(
        sa.select(_R.parent_call_index).where(_R.run_id == child.run_id)
    ).scalar_one_or_none()
    above = ancestors(tx.sql, parent_run_id)
    call = None if index is None else journal.find(tx.sql, parent_run_id, index)
    if call is None or not above:
        return
    end = _end(child, end_state, answer, reason, _duration_ns(tx, parent_run_id, call.call_index))
    journal.finish(tx, above[0], call, end)
    release(tx, parent_run_id)


def _end(
    child: Subject, end_state: str, answer: str | None, reason: str | None, duration_ns: int | None
) -> End:
    if end_state == "completed":
        told = {"agent": child.agent_id, "run_id": child.run_id, "answer": answer or ""}
        return End(
            outcome="succeeded",
            result=json.dumps(told, ensure_ascii=False),
            duration_ns=duration_ns,
            delegate_run_id=child.run_id,
        )
    why = f": {reason}" if reason else "."
    return End(
        outcome="failed",
        result=f"Agent {child.agent_id} did not complete the task ({end_state}){why}",
        error_class="upstream",
        error_type=end_state,
        duration_ns=duration_ns,
        delegate_run_id=child.run_id,
    )


def _duration_ns(tx: Transaction, run_id: str, call_index: int) -> int | None:
    this = sa.and_(tool_calls.c.run_id == run_id, tool_calls.c.call_index == call_index)
    started_at = tx.sql.execute(sa.select(tool_calls.c.started_at).where(this)).scalar_one_or_none()
    return None if started_at is None else (tx.now - started_at) // dt.timedelta(microseconds=1) * 1000
