"""What waits for a person about agents: no owner, an assessment due, an order to stop, a missed slot."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.desk import Desk
from app.live import rota
from app.live.reach import sees, sees_agent, sees_all
from runner.control import lifecycle, stops
from runner.control.access import Target
from runner.control.registry import Registry
from runner.control.stops import Order
from runner.control.version_approval import waiting_versions

_DUE_WITHIN = dt.timedelta(days=14)
_MISSED_WITHIN = dt.timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Due:
    """An agent whose risk assessment is due: by when, and whether that day is over."""

    agent_id: str
    agent_name: str
    review_by: dt.date
    is_over: bool


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """An order to stop that stands: over a run, an agent or the company."""

    scope: str
    target_id: str
    ordered_by: str
    ordered_at: dt.datetime
    reason: str
    is_drill: bool


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the registry says of an agent beyond its row in the warehouse; names of people are their ids."""

    risk_reasons: tuple[str, ...]
    assessor: str | None
    review_by: dt.date | None
    diverged: tuple[str, ...]
    knowledge: tuple[str, ...]
    delegates: tuple[str, ...]
    fallback_models: tuple[str, ...]
    schedules: tuple[str, ...]


def ownerless(desk: Desk, person_id: str) -> list[str]:
    """Names of agents at work for which nobody answers, within the person's reach."""
    registry = desk.control.registry()
    return [
        registry.agents[name].name
        for name in _at_work(desk, registry, person_id)
        if registry.agents[name].owner is None
    ]


def due(desk: Desk, person_id: str, today: dt.date) -> list[Due]:
    """Agents at work whose risk is to be assessed again within two weeks, or was to be; soonest first."""
    registry = desk.control.registry()
    found = []
    for name in _at_work(desk, registry, person_id):
        agent = registry.agents[name]
        by = agent.risk.review_by
        if by is not None and by <= today + _DUE_WITHIN:
            found.append(Due(agent_id=name, agent_name=agent.name, review_by=by, is_over=by < today))
    return sorted(found, key=lambda one: (one.review_by, one.agent_id))


def unapproved(desk: Desk, person_id: str) -> list[str]:
    """Names of agents at work whose newest version waits for a second person, within the person's reach."""
    registry = desk.control.registry()
    with desk.control.store.read() as connection:
        waiting = {agent_id for agent_id, _ in waiting_versions(connection)}
    at_work = _at_work(desk, registry, person_id)
    return [registry.agents[name].name for name in at_work if name in waiting]


def stopped(desk: Desk, person_id: str) -> list[Stopped]:
    """Orders to stop that stand and reach something the person may see, oldest first."""
    control = desk.control
    registry = control.registry()
    with control.store.read() as connection:
        orders = stops.standing(connection)
    return [
        Stopped(
            scope=one.stop_scope,
            target_id=one.target_id,
            ordered_by=one.ordered_by,
            ordered_at=one.ordered_at,
            reason=one.reason,
            is_drill=one.is_drill,
        )
        for one in orders
        if _reaches(desk, registry, person_id, one)
    ]


def missed(desk: Desk, person_id: str, now: dt.datetime) -> list[rota.Expected]:
    """Slots of the last week that were missed, within the person's reach."""
    found = rota.fires(desk, person_id, now - _MISSED_WITHIN, now)
    return [one for one in found if one.status == "missed"]


def card(desk: Desk, person_id: str, agent_id: str) -> Card | None:
    """The declared side of one agent; None when it is not declared or out of the person's reach."""
    registry = desk.control.registry()
    agent = registry.agents.get(agent_id)
    if agent is None or not sees_agent(registry, person_id, agent_id):
        return None
    return Card(
        risk_reasons=agent.risk.reasons,
        assessor=agent.risk.assessor,
        review_by=agent.risk.review_by,
        diverged=agent.template.diverged if agent.template else (),
        knowledge=agent.knowledge,
        delegates=agent.delegates,
        fallback_models=agent.fallback_models,
        schedules=tuple(name for name, one in registry.schedules.items() if one.agent == agent_id),
    )


def _at_work(desk: Desk, registry: Registry, person_id: str) -> list[str]:
    with desk.control.store.read() as connection:
        states = lifecycle.agent_states(connection)
    return [
        name
        for name in registry.agents
        if sees_agent(registry, person_id, name) and (name not in states or states[name].status != "retired")
    ]


def _reaches(desk: Desk, registry: Registry, person_id: str, order: Order) -> bool:
    if order.stop_scope == "company" or sees_all(registry, person_id):
        return True
    if order.stop_scope == "agent":
        return sees_agent(registry, person_id, order.target_id)
    run = desk.control.run(order.target_id)
    target = Target(agent_id=run.agent_id, team_id=run.team_id, person_id=run.requested_by)
    return sees(registry, person_id, target)
