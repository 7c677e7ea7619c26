"""Attestations for a page: how each agent at work stands within a person's reach, and attesting one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.desk import Desk
from app.live.reach import sees_agent
from runner.control import agent_changes, attestations
from runner.control.access import agent_target, may
from runner.control.owners import answers_for


@dataclass(frozen=True, kw_only=True)
class Attested:
    """One agent at work; days are those of the company's zone, None while it is not counted yet."""

    agent_id: str
    agent_name: str
    risk_class: str
    word: str
    attested_by: str | None
    due_on: dt.date | None
    lapses_on: dt.date | None
    can_attest: bool


def standings(desk: Desk, person_id: str) -> list[Attested]:
    """Agents at work that the person may see, those that are due first."""
    control = desk.control
    registry, now = control.registry(), control.store.clock()
    zone = ZoneInfo(registry.company.time_zone)
    with control.store.read() as connection:
        found = attestations.standings(connection, registry, now)
    return [
        Attested(
            agent_id=one.agent_id,
            agent_name=registry.agents[one.agent_id].name,
            risk_class=one.risk_class,
            word=one.word,
            attested_by=one.attested_by,
            due_on=one.due_at.astimezone(zone).date() if one.due_at else None,
            lapses_on=one.lapses_at.astimezone(zone).date() if one.lapses_at else None,
            can_attest=answers_for(registry, person_id, one.agent_id)
            or may(registry, person_id, "change_agents", agent_target(registry, one.agent_id)).allowed,
        )
        for one in found
        if sees_agent(registry, person_id, one.agent_id)
    ]


def attest(desk: Desk, person_id: str, agent_id: str, reason: str) -> str:
    """State that the agent is wanted and as described; returns the event's id. Raises AccessRefused."""
    return agent_changes.attest(desk.control, agent_id, by=person_id, reason=reason.strip() or None)
