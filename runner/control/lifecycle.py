"""The decided state of agents: which status each has, who decided it and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control.admission import AgentState
from runner.control.declared import Status, nearest
from runner.control.owners import require_owner_or
from runner.control.prepared import Prepared
from runner.control.registry import Registry
from runner.control.store import Transaction
from runner.control.tables import agent_versions, agents
from runner.errors import MoveRefused, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core


_STATES = sa.select(agents, agent_versions.c.is_approval_needed, agent_versions.c.approved_at).join(
    agent_versions,
    sa.and_(
        agent_versions.c.agent_id == agents.c.agent_id,
        agent_versions.c.agent_version == agents.c.agent_version,
    ),
)
_STATE = Prepared(_STATES.where(agents.c.agent_id == sa.bindparam("agent")))


def agent_states(connection: Connection) -> dict[str, AgentState]:
    """Decided state of every agent that was ever declared, by id."""
    rows = connection.execute(_STATES.order_by(agents.c.agent_id)).all()
    return {row.agent_id: _state(row) for row in rows}


def _state(row: sa.Row[tuple[object, ...]]) -> AgentState:
    """The decided state in a row of ``agents``."""
    return AgentState(
        agent_id=row.agent_id,
        team_id=row.team_id,
        agent_version=row.agent_version,
        status=row.status,
        status_reason=row.status_reason or "",
        decided_at=row.status_decided_at,
        is_approved=not row.is_approval_needed or row.approved_at is not None,
    )


def find_agent(connection: Connection, registry: Registry, agent_id: str) -> AgentState:
    """The decided state of an agent. Raises NotFound with the nearest name."""
    row = _STATE.first(connection, {"agent": agent_id})
    if row is None:
        advice = "`fleetbook agents` lists them; a new one is declared in registry.yaml and applied."
        raise NotFound("agent", agent_id, nearest(agent_id, registry.agents), advice)
    return _state(row)


# From each status, where a decision may lead. A retired agent comes back by a revival only, suspended.
MOVES: Mapping[str, tuple[Status, ...]] = {
    "draft": ("review", "live", "retired"),
    "review": ("draft", "live", "retired"),
    "live": ("watch", "suspended", "retired"),
    "watch": ("live", "suspended", "retired"),
    "suspended": ("live", "watch", "retired"),
    "retired": (),
}


def decide_status(
    control: Core, agent_id: str, status: Status, person_id: str, reason: str, *, is_revival: bool = False
) -> str:
    """See :meth:`runner.control.plane.Control.decide_status`; ``is_revival`` brings a retired one back."""
    registry = control.registry()
    require_owner_or(control, registry, person_id, "apply_registry", agent_id)
    with control.store.write() as tx:
        state = find_agent(tx.sql, registry, agent_id)
        event_id = put_status(tx, state, status, person_id, reason, is_revival=is_revival)
    control.relay.flush()
    return event_id


def put_status(
    tx: Transaction,
    state: AgentState,
    status: Status,
    person_id: str,
    reason: str,
    *,
    is_revival: bool = False,
) -> str:
    """Write and tell a decided status; returns the event's id. Raises MoveRefused."""
    _require_move(state, status, is_revival=is_revival)
    values = {"status": status, "status_reason": reason, "status_decided_at": tx.now}
    tx.sql.execute(sa.update(agents).where(agents.c.agent_id == state.agent_id), values)
    return tx.emit(
        "status_changed",
        agent_id=state.agent_id,
        agent_version=state.agent_version,
        team_id=state.team_id,
        actor_id=person_id,
        person_id=person_id,
        status=status,
        reason=reason,
    )


def _require_move(state: AgentState, status: Status, *, is_revival: bool) -> None:
    allowed = ("suspended",) if is_revival and state.status == "retired" else MOVES[state.status]
    if status not in allowed:
        raise MoveRefused(state.agent_id, state.status, status, MOVES[state.status])
