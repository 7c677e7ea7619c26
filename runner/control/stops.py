"""Orders to stop: a run, an agent or the whole company, across processes and machines.

An order marks the runs it covers in the control store. What nobody plays ends in the same transaction; a
worker that plays one reads the mark before each model call and tool call and about once a second besides.
An order over an agent or the company refuses new runs until it is lifted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value, new_event_id
from runner.control import approvals, runs, stop_rules
from runner.control.lifecycle import find_agent
from runner.control.prepared import Prepared
from runner.control.recover import charge_interrupted_turns, close_open_calls
from runner.control.runs import Run
from runner.control.store import Transaction, envelope
from runner.control.tables import OPEN_RUN_STATUSES, stop_orders
from runner.control.tables import runs as runs_table
from runner.errors import NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

StopScope: TypeAlias = Literal["run", "agent", "company"]

_O, _R = stop_orders.c, runs_table.c
_MARK = (
    sa.update(runs_table)
    .where(_R.run_id == sa.bindparam("of_run"), _R.status.in_(OPEN_RUN_STATUSES), _R.stop_id.is_(None))
    .values(stop_id=sa.bindparam("stop"))
)
_LIFT = sa.update(stop_orders).where(_O.stop_id == sa.bindparam("stop"), _O.lifted_at.is_(None))
_ORDER = sa.select(stop_orders).where(_O.stop_id == sa.bindparam("stop"))
_STANDING = Prepared(sa.select(stop_orders).where(_O.lifted_at.is_(None)).order_by(_O.ordered_at))
_COVERED = sa.select(runs_table.c.run_id).where(_R.status.in_(OPEN_RUN_STATUSES), _R.stop_id.is_not(None))


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order to stop: ``target_id`` is a run, an agent, or empty for the company."""

    stop_id: str
    stop_scope: StopScope
    target_id: str
    is_drill: bool
    ordered_by: str
    ordered_at: dt.datetime
    reason: str

    @property
    def sentence(self) -> str:
        """Who stopped it and why, for the log and the page."""
        return f"{self.ordered_by} stopped {_words(self.stop_scope, self.target_id)}: {self.reason}"


class Halted(NamedTuple):
    """A run under an order; ``halt_ns`` from the order to its end, None while it has not ended."""

    run_id: str
    agent_id: str
    halt_ns: int | None


_FIELDS = tuple(Order.__dataclass_fields__)


def order_stop(
    control: Core, scope: StopScope, target_id: str, person_id: str, reason: str, *, is_drill: bool = False
) -> Order:
    """Stop a run and what it delegated, an agent, or everything; it is in force when this returns.

    Owner, deputy and holders of stop_run may; for the company, whoever may stop the runs of every team.
    Raises NotFound, AccessRefused.
    """
    stop_rules.require_stop(control, scope, target_id, person_id)
    return give_order(control, scope, target_id, person_id, reason, is_drill=is_drill)


def give_order(
    control: Core, scope: StopScope, target_id: str, person_id: str, reason: str, *, is_drill: bool = False
) -> Order:
    """The order itself, for a caller that has asked another rule: a review that retires an agent."""
    with control.store.write() as tx:
        order = Order(
            stop_id=f"st-{new_event_id(tx.now)}",
            stop_scope=scope,
            target_id=target_id,
            is_drill=is_drill,
            ordered_by=person_id,
            ordered_at=tx.now,
            reason=reason,
        )
        tx.sql.execute(sa.insert(stop_orders), {name: getattr(order, name) for name in _FIELDS})
        about = _about(control, tx, order)
        tx.emit("stop_ordered", about, person_id=person_id, reason=reason, is_drill=is_drill)
        for run_id in _in_reach(tx.sql, scope, target_id):
            tx.sql.execute(_MARK, {"of_run": run_id, "stop": order.stop_id})
        _halt_what_nobody_plays(control, tx)
        _close_if_done(tx, order)
    control.relay.flush()
    return order


def lift(control: Core, scope: StopScope, target_id: str, person_id: str, reason: str) -> int:
    """Let an agent, or everything, start again; returns how many orders were lifted.

    Raises NotFound when none stands, AccessRefused.
    """
    stop_rules.require_stop(control, scope, target_id, person_id)
    with control.store.write() as tx:
        found = [one for one in standing(tx.sql) if (one.stop_scope, one.target_id) == (scope, target_id)]
        for order in found:
            tx.sql.execute(_LIFT.values(lifted_at=tx.now), {"stop": order.stop_id})
            about = _about(control, tx, order)
            tx.emit("stop_lifted", about, person_id=person_id, reason=reason, is_drill=order.is_drill)
    if not found:
        advice = "`fleetbook runs` names the orders that stand."
        raise NotFound("order to stop", target_id or "--all", None, advice)
    control.relay.flush()
    return len(found)


def standing(connection: Connection) -> list[Order]:
    """Orders that stand: over agents and the company until lifted, over runs until they have ended."""
    return [_order(row) for row in _STANDING.all(connection, {})]


def standing_over(connection: Connection, agent_id: str) -> Order | None:
    """The order that keeps ``agent_id`` from starting runs, or None."""
    for order in standing(connection):
        if order.stop_scope == "company" or (order.stop_scope, order.target_id) == ("agent", agent_id):
            return order
    return None


def halted(connection: Connection, order: Order) -> list[Halted]:
    """The runs that the order covers, and how long each took to end."""
    query = sa.select(runs_table).where(_R.stop_id == order.stop_id).order_by(_R.run_id)
    return [
        Halted(
            run_id=row.run_id,
            agent_id=row.agent_id,
            halt_ns=_ns(row.ended_at - order.ordered_at) if row.ended_at else None,
        )
        for row in connection.execute(query)
    ]


def marked(connection: Connection) -> set[str]:
    """Runs that are to stop and have not ended."""
    return set(connection.execute(_COVERED).scalars())


def halt_what_nobody_plays(control: Core) -> int:
    """End the runs under an order that are in no worker's hands; returns how many."""
    with control.store.read() as connection:
        if not standing(connection) and not marked(connection):
            return 0
    with control.store.write() as tx:
        return _halt_what_nobody_plays(control, tx)


def halt_in_hand(control: Core, run_id: str) -> Run | None:
    """End a run that this process plays and has let go of; None when another has it now."""
    with control.store.write() as tx:
        runs.lock(tx, run_id)
        run = runs.find(tx.sql, run_id)
        if run is None or run.status != "running" or run.lease_owner != control.presence.owner:
            return None
        _halt(tx, run)
        return run


def _halt_what_nobody_plays(control: Core, tx: Transaction) -> int:
    companywide = {(order.stop_scope, order.target_id): order for order in standing(tx.sql)}
    count = 0
    for run in runs.listed(tx.sql, OPEN_RUN_STATUSES, limit=100_000):
        order = companywide.get(("agent", run.agent_id)) or companywide.get(("company", ""))
        if run.stop_id is None and order is not None:
            # Asked for in the very moment of the order.
            tx.sql.execute(_MARK, {"of_run": run.run_id, "stop": order.stop_id})
        elif run.stop_id is None:
            continue
        runs.lock(tx, run.run_id)
        now = runs.find(tx.sql, run.run_id)
        if now is not None and _is_free(control, now, tx.now):
            _halt(tx, now)
            count += 1
    return count


def _is_free(control: Core, run: Run, now: dt.datetime) -> bool:
    if run.status != "running":
        return run.status in OPEN_RUN_STATUSES
    return runs.is_left_behind(run, control.presence, now)


def _halt(tx: Transaction, run: Run) -> None:
    """End a run under its order: what may be billed is charged, what was not begun is refused."""
    order = _order(tx.sql.execute(_ORDER, {"stop": run.stop_id}).one())
    charge_interrupted_turns(tx, run, "stopped")
    for request in approvals.of_run(tx.sql, run.run_id, status="waiting"):
        approvals.expire(tx, request, reason=order.sentence)
    close_open_calls(tx, run, order.sentence)
    halt_ns = _ns(tx.now - order.ordered_at)
    runs.end(
        tx,
        run,
        "cancelled",
        error_type="Stopped",
        reason=order.sentence,
        stop_id=order.stop_id,
        halt_ns=halt_ns,
    )
    if order.is_drill:
        tx.emit(
            "stop_drill",
            envelope(run),
            stop_id=order.stop_id,
            halt_ns=halt_ns,
            person_id=order.ordered_by,
        )
    _close_if_done(tx, order)


def _close_if_done(tx: Transaction, order: Order) -> None:
    """An order over one run is done with its end; over an agent or the company, a drill is."""
    if order.stop_scope != "run" and not order.is_drill:
        return
    left = sa.select(_R.run_id).where(_R.stop_id == order.stop_id, _R.status.in_(OPEN_RUN_STATUSES)).limit(1)
    if tx.sql.execute(left).first() is None:
        tx.sql.execute(_LIFT.values(lifted_at=tx.now), {"stop": order.stop_id})


def _in_reach(connection: Connection, scope: StopScope, target_id: str) -> list[str]:
    """Open runs that an order covers; those a run has delegated are part of it."""
    query = sa.select(_R.run_id).where(_R.status.in_(OPEN_RUN_STATUSES)).order_by(_R.run_id)
    if scope == "company":
        return list(connection.execute(query).scalars())
    column = _R.agent_id if scope == "agent" else _R.run_id
    first = query.where(column == target_id)
    found: list[str] = []
    level: list[str] = list(connection.execute(first).scalars())
    while level:
        found += level
        level = list(connection.execute(query.where(_R.parent_run_id.in_(level))).scalars())
    return found


def _about(control: Core, tx: Transaction, order: Order) -> dict[str, Value]:
    about: dict[str, Value] = {"stop_id": order.stop_id, "stop_scope": order.stop_scope}
    about["actor_id"] = order.ordered_by
    if order.stop_scope == "run":
        run = runs.find(tx.sql, order.target_id)
        about |= {"run_id": order.target_id, "agent_id": run.agent_id, "team_id": run.team_id} if run else {}
    elif order.stop_scope == "agent":
        state = find_agent(tx.sql, control.registry_in(tx.sql), order.target_id)
        about |= {"agent_id": state.agent_id, "team_id": state.team_id}
    return about


def _order(row: sa.Row[tuple[object, ...]]) -> Order:
    return Order(**{name: getattr(row, name) for name in _FIELDS})


def _words(scope: StopScope, target_id: str) -> str:
    return {"run": "the run", "agent": f"agent {target_id}", "company": "all agents"}[scope]


def _ns(span: dt.timedelta) -> int:
    return max(span // dt.timedelta(microseconds=1), 0) * 1000
