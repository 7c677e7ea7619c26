"""Schedules within a person's reach: how each stands, what became of its slots, pausing and resuming."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.desk import Desk
from app.live.reach import sees_agent, sees_all
from runner.control.access import agent_target, may
from runner.control.schedule_book import Expected, Standing, expected_fires, standings

__all__ = ["Expected", "ScheduleRow", "Standing", "fires", "schedules", "set_paused"]


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    """How a schedule stands; ``can_change`` is for the person who looks, ``cannot_reason`` why not."""

    standing: Standing
    can_change: bool
    cannot_reason: str


def schedules(desk: Desk, person_id: str) -> list[ScheduleRow]:
    """The declared schedules of agents that the person may see, by id."""
    registry = desk.control.registry()
    rows = []
    for one in standings(desk.control):
        if sees_agent(registry, person_id, one.agent_id):
            ruling = may(registry, person_id, "change_schedules", agent_target(registry, one.agent_id))
            rows.append(ScheduleRow(standing=one, can_change=ruling.allowed, cannot_reason=ruling.sentence))
    return rows


def fires(desk: Desk, person_id: str, since: dt.datetime, until: dt.datetime) -> list[Expected]:
    """Every slot from ``since`` up to ``until`` of schedules the person may see, oldest first.

    Slots of schedules that were removed belong to no agent of today: who sees all teams sees them.
    """
    registry = desk.control.registry()
    found = expected_fires(desk.control, since, until)
    seen = {name for name, one in registry.schedules.items() if sees_agent(registry, person_id, one.agent)}
    removed = sees_all(registry, person_id)
    return [
        one
        for one in found
        if one.schedule_id in seen or (removed and one.schedule_id not in registry.schedules)
    ]


def set_paused(desk: Desk, person_id: str, schedule_id: str, paused: bool, reason: str) -> None:
    """Pause or resume a schedule in registry.yaml and apply it.

    Raises NotFound, AccessRefused, RegistryInvalid.
    """
    from runner.control.schedule_changes import pause_schedule, resume_schedule

    change = pause_schedule if paused else resume_schedule
    change(desk.control, schedule_id, by=person_id, reason=reason.strip() or None)
