"""Runs as rows: requested, claimed under a lease, paused as data, resumed by anyone, ended once.

Whoever changes a running run proves its lease in the same transaction; without it, LeaseLost and no change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control import ancestry
from runner.control.prepared import Prepared, Row
from runner.control.presence import Presence
from runner.control.revisions import REVISION
from runner.control.store import Transaction, envelope
from runner.control.tables import approvals, runs, tool_calls
from runner.control.trials import Arm
from runner.errors import LeaseLost

# A worker proves itself at every step and at least every third of this.
LEASE_LIFETIME = dt.timedelta(seconds=60)

_R = runs.c
_ONE = Prepared(sa.select(runs).where(_R.run_id == sa.bindparam("of_run")))
_MINE = sa.and_(_R.run_id == sa.bindparam("of_run"), _R.lease_owner == sa.bindparam("owner"))
_RENEW = Prepared(
    sa.update(runs)
    .where(_MINE)
    .values(
        lease_until=sa.bindparam("until"),
        machine_ns=_R.machine_ns + sa.bindparam("worked"),
        attempt_count=sa.func.coalesce(sa.bindparam("tries", type_=sa.BigInteger), _R.attempt_count),
        event_count=_R.event_count + sa.bindparam("told"),
    )
)
_CHECKPOINT = Prepared(
    sa.update(runs)
    .where(_MINE)
    .values(
        lease_until=sa.bindparam("until"),
        machine_ns=_R.machine_ns + sa.bindparam("worked"),
        messages=sa.bindparam("history"),
        turn_count=sa.bindparam("turns"),
        tool_call_count=sa.bindparam("calls"),
        spent_nano_usd=_R.spent_nano_usd + sa.bindparam("spent"),
        attempt_count=0,
        event_count=_R.event_count + sa.bindparam("told"),
    )
)
_SPEND = Prepared(
    sa.update(runs)
    .where(_R.run_id == sa.bindparam("of_run"))
    .values(spent_nano_usd=_R.spent_nano_usd + sa.bindparam("spent"))
)
_CLAIM = Prepared(
    sa.update(runs)
    .where(
        _R.run_id == sa.bindparam("of_run"),
        _R.status == sa.bindparam("was"),
        sa.func.coalesce(_R.lease_owner, "") == sa.bindparam("old_owner"),
        _R.stop_id.is_(None),
        # Renewed since it was read: its worker lives after all.
        sa.or_(
            _R.lease_until.is_(None), _R.lease_until == sa.bindparam("old_until", type_=_R.lease_until.type)
        ),
    )
    .values(
        status="running",
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
        started_at=sa.func.coalesce(_R.started_at, sa.bindparam("now", type_=runs.c.started_at.type)),
        pause_reason=None,
    )
)
_MARKED = Prepared(sa.select(_R.stop_id).where(_R.run_id == sa.bindparam("of_run")))
# What may have changed since the last step: an order to stop, and what is applied.
STANDING = Prepared(
    sa.select(_R.stop_id, sa.select(REVISION).scalar_subquery().label("revision")).where(
        _R.run_id == sa.bindparam("of_run")
    )
)
_GIVE_BACK = sa.update(runs).where(_MINE).values(lease_until=sa.bindparam("now", type_=_R.lease_until.type))
_LEAVE = Prepared(
    sa.update(runs)
    .where(_MINE)
    .values(
        status=sa.bindparam("status_now"),
        pause_reason=sa.bindparam("pause"),
        lease_owner=None,
        lease_until=None,
    )
)
_END = Prepared(
    sa.update(runs)
    .where(_R.run_id == sa.bindparam("of_run"))
    .values(
        status="ended",
        end_state=sa.bindparam("state"),
        reason=sa.bindparam("why"),
        ended_at=sa.bindparam("now"),
        pause_reason=None,
        lease_owner=None,
        lease_until=None,
        messages=None,
        task="",
    )
    .returning(_R.machine_ns, _R.event_count)
)
# The texts of an ended run live in the payload store only, where they can be erased.
_FORGET = Prepared(sa.delete(tool_calls).where(tool_calls.c.run_id == sa.bindparam("of_run")))
# An empty object: whoever shows the request reads arguments as JSON. Their digest stays.
_FORGET_ARGUMENTS = (
    sa.update(approvals)
    .where(approvals.c.run_id == sa.bindparam("of_run"))
    .values(arguments="{}", changed_arguments=None)
)
_OPEN = (
    sa.select(runs)
    .where(_R.status.in_(("queued", "ready", "running")), _R.stop_id.is_(None))
    .order_by(_R.requested_at, _R.run_id)
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run as the store knows it; ``messages`` is the checkpointed history as JSON, None before turn 0."""

    run_id: str
    agent_id: str
    agent_version: int
    team_id: str
    status: str
    trigger_kind: str
    requested_by: str
    role_id: str
    task: str
    requested_at: dt.datetime
    parent_run_id: str | None = None
    messages: str | None = None
    turn_count: int = 0
    attempt_count: int = 0
    tool_call_count: int = 0
    spent_nano_usd: int = 0
    machine_ns: int = 0
    lease_owner: str | None = None
    lease_until: dt.datetime | None = None
    pause_reason: str | None = None
    end_state: str | None = None
    reason: str | None = None
    stop_id: str | None = None


_FIELDS = tuple(Run.__dataclass_fields__)
_PUT = Prepared(sa.insert(runs), *_FIELDS, "event_count")


def _run(row: Row) -> Run:
    return Run(**{name: getattr(row, name) for name in _FIELDS})


def find(connection: Connection, run_id: str) -> Run | None:
    """The run of that id, or None."""
    row = _ONE.first(connection, {"of_run": run_id})
    return None if row is None else _run(row)


def listed(connection: Connection, statuses: Sequence[str], limit: int = 500) -> list[Run]:
    """Runs in one of ``statuses``, newest request first."""
    query = (
        sa.select(runs)
        .where(_R.status.in_(statuses))
        .order_by(_R.requested_at.desc(), _R.run_id)
        .limit(limit)
    )
    return [_run(row) for row in connection.execute(query)]


def insert(tx: Transaction, run: Run, version_hash: str, arm: Arm) -> None:
    """Put a requested run into the store and tell it with its side of a trial; the payload is the task."""
    _PUT.many(tx.sql, [{**{name: getattr(run, name) for name in _FIELDS}, "event_count": 0}])
    tx.emit(
        "run_requested",
        {**envelope(run), **arm.told},
        text=run.task,
        kind="task",
        trigger_kind=run.trigger_kind,
        role_id=run.role_id,
        version_hash=version_hash,
    )


def claimable(connection: Connection, presence: Presence, now: dt.datetime) -> list[Run]:
    """Runs that a worker may take now, oldest first: queued, decided, or left behind by a dead worker."""
    found = [_run(row) for row in connection.execute(_OPEN)]
    return [run for run in found if run.status != "running" or is_left_behind(run, presence, now)]


def is_left_behind(run: Run, presence: Presence, now: dt.datetime) -> bool:
    """Whether the worker of a running run is gone."""
    return run.lease_owner is None or presence.is_gone(run.lease_owner, run.lease_until, now)


def claim(tx: Transaction, run: Run, presence: Presence, version_hash: str) -> bool:
    """Take the lease of ``run`` as it was read and tell it; False when another was first."""
    if run.status == "running" and not is_left_behind(run, presence, tx.now):
        return False
    values = {
        "of_run": run.run_id,
        "was": run.status,
        "old_owner": run.lease_owner or "",
        "old_until": run.lease_until,
        "owner": presence.owner,
        "until": tx.now + LEASE_LIFETIME,
        "now": tx.now,
    }
    if _CLAIM.changed(tx.sql, values) != 1:
        return False
    if run.status == "queued":
        tx.emit("run_started", envelope(run), version_hash=version_hash)
    else:
        tx.emit("run_resumed", envelope(run), reason=_why_resumed(run))
    return True


def _why_resumed(run: Run) -> str:
    if run.status == "running":
        return "its worker died"
    return "its delegates ended" if run.pause_reason == "delegate" else "a person decided"


def renew(
    tx: Transaction, run_id: str, owner: str, *, worked_ns: int = 0, attempt: int | None = None
) -> None:
    """Prove and extend the lease, add ``worked_ns`` of active time; best last. Raises LeaseLost.

    ``attempt`` is remembered as the latest attempt at the turn in hand.
    """
    values = {
        "of_run": run_id,
        "owner": owner,
        "until": tx.now + LEASE_LIFETIME,
        "worked": worked_ns,
        "tries": attempt,
        "told": tx.take_event_count(run_id),
    }
    if _RENEW.changed(tx.sql, values) != 1:
        raise LeaseLost(run_id)


def checkpoint(
    tx: Transaction,
    run_id: str,
    owner: str,
    *,
    messages: str,
    turn_count: int,
    tool_call_count: int,
    spent_nano_usd: int,
    worked_ns: int,
) -> None:
    """Keep the history up to an answered turn: whoever goes on goes on from here. Best last.

    Raises LeaseLost.
    """
    values = {
        "of_run": run_id,
        "owner": owner,
        "until": tx.now + LEASE_LIFETIME,
        "worked": worked_ns,
        "history": messages,
        "turns": turn_count,
        "calls": tool_call_count,
        "spent": spent_nano_usd,
        "told": tx.take_event_count(run_id),
    }
    if _CHECKPOINT.changed(tx.sql, values) != 1:
        raise LeaseLost(run_id)


def add_spend(tx: Transaction, run_id: str, nano_usd: int) -> None:
    """Add what a failed attempt was charged."""
    if nano_usd:
        _SPEND.changed(tx.sql, {"of_run": run_id, "spent": nano_usd})


def park(tx: Transaction, run: Run, owner: str, pause_reason: str) -> None:
    """Let the run wait as data. Raises LeaseLost."""
    values = {"of_run": run.run_id, "owner": owner, "status_now": "waiting", "pause": pause_reason}
    if _LEAVE.changed(tx.sql, values) != 1:
        raise LeaseLost(run.run_id)
    tx.emit("run_paused", envelope(run), pause_reason=pause_reason)


def lock(tx: Transaction, run_id: str) -> None:
    """Let whoever else changes this run wait until this transaction ends."""
    tx.sql.execute(sa.select(_R.run_id).where(_R.run_id == run_id).with_for_update())


def is_marked(connection: Connection, run_id: str) -> bool:
    """Whether somebody ordered the run to stop."""
    row = _MARKED.first(connection, {"of_run": run_id})
    return row is not None and row.stop_id is not None


def give_back(tx: Transaction, run_id: str, owner: str) -> bool:
    """Let the lease run out now, for a worker that has to go; False when it was lost before."""
    return tx.sql.execute(_GIVE_BACK, {"of_run": run_id, "owner": owner, "now": tx.now}).rowcount == 1


def make_ready(tx: Transaction, run_id: str) -> None:
    """A waiting run may go on: every request of its pause is decided."""
    this = sa.and_(_R.run_id == run_id, _R.status == "waiting")
    tx.sql.execute(sa.update(runs).where(this).values(status="ready"))


def end(
    tx: Transaction,
    run: Run,
    end_state: str,
    *,
    answer: str | None = None,
    error_type: str | None = None,
    reason: str | None = None,
    stop_id: str | None = None,
    halt_ns: int | None = None,
) -> None:
    """End the run and tell it, with the exact number of its events and its machine time."""
    values = {"of_run": run.run_id, "state": end_state, "why": reason, "now": tx.now}
    kept = _END.one(tx.sql, values)
    _FORGET.changed(tx.sql, {"of_run": run.run_id})
    if not tx.keeps_texts(envelope(run)):
        tx.sql.execute(_FORGET_ARGUMENTS, {"of_run": run.run_id})
    tx.emit(
        "run_ended",
        envelope(run),
        text=answer,
        kind="answer",
        end_state=end_state,
        error_type=error_type,
        reason=reason,
        stop_id=stop_id,
        halt_ns=halt_ns,
        machine_ns=kept.machine_ns,
        declared_event_count=kept.event_count + tx.uncounted(run.run_id) + 1,
    )
    ancestry.child_ended(tx, run, end_state, answer=answer, reason=reason)
