"""The demo agents that work by the clock: when their schedules were due, and which slots passed in vain."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from typing import NamedTuple

from app.demo.record import Happening
from app.demo.story import Plan
from ingest.contract import Value, derived_event_id
from runner.control.registry import Registry
from runner.control.slot_history import PastSlot
from runner.control.slots import timetable

MISSED, LATE = 0.008, 0.02  # shares of slots for which no worker was there, or only after a while
SLOTS_PER_DAY = 100


class Due(NamedTuple):
    """One slot of a schedule, and the moment at which it asked for a run: None when it was missed."""

    schedule_id: str
    slot_at: dt.datetime
    run_as: str
    asked_at: dt.datetime | None
    is_late: bool


class Clockwork:
    """The declared schedules over the whole history, as if they had never been others."""

    def __init__(self, plan: Plan, registry: Registry) -> None:
        self._plan = plan
        self._of: dict[str, list[str]] = defaultdict(list)
        for schedule_id, schedule in registry.schedules.items():
            self._of[schedule.agent].append(schedule_id)
        self._schedules = registry.schedules
        self._times = {name: timetable(registry, one) for name, one in registry.schedules.items()}

    def runs(self, agent_id: str) -> bool:
        """Whether the agent works by the clock instead of being asked."""
        return agent_id in self._of

    def due(self, agent_id: str, day: dt.date, dice: random.Random) -> list[Due]:
        """What was due for the agent on the company's ``day``, in order."""
        begin = self._plan.at(day) - dt.timedelta(microseconds=1)
        end = self._plan.at(day + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)
        found = [
            self._met(schedule_id, slot_at, dice)
            for schedule_id in self._of[agent_id]
            for slot_at in self._times[schedule_id].between(begin, end, SLOTS_PER_DAY)
        ]
        return sorted(found, key=lambda one: one.slot_at)

    def _met(self, schedule_id: str, slot_at: dt.datetime, dice: random.Random) -> Due:
        schedule = self._schedules[schedule_id]
        fate, wait = dice.random(), dice.uniform(0.1, 2.5)
        is_late = MISSED <= fate < MISSED + LATE
        late = dt.timedelta(minutes=schedule.grace_minutes * (1 + 4 * dice.random())) if is_late else None
        asked_at = None if fate < MISSED else slot_at + (late or dt.timedelta(seconds=wait))
        return Due(schedule_id, slot_at, schedule.run_as, asked_at, is_late)


def past_slot(due: Due, agent_id: str, run_id: str | None) -> PastSlot:
    """What became of a slot: the run it asked for, or that it passed without one."""
    return PastSlot(
        schedule_id=due.schedule_id,
        agent_id=agent_id,
        slot_at=due.slot_at,
        decided_at=due.asked_at or due.slot_at + dt.timedelta(hours=1),
        is_late=due.is_late,
        run_id=run_id,
        reason=None if due.asked_at else "no worker was there in time",
    )


def told(slot: PastSlot, team_id: str, run_as: str) -> Happening:
    """What the log says of a slot."""
    event_type = "schedule_missed" if slot.run_id is None else "schedule_fired"
    moment = slot.decided_at
    columns: dict[str, Value] = {
        "event_id": derived_event_id(moment, "demo", event_type, slot.schedule_id, slot.slot_at.isoformat()),
        "event_type": event_type,
        "occurred_at": moment,
        "rule_id": slot.schedule_id,
        "agent_id": slot.agent_id,
        "team_id": team_id,
        "actor_id": run_as,
        "slot_at": slot.slot_at,
        "run_id": slot.run_id,
        "reason": slot.reason,
    }
    if slot.run_id is not None:
        lateness = (moment - slot.slot_at) // dt.timedelta(microseconds=1) * 1000
        columns |= {"lateness_ns": lateness, "is_late": slot.is_late}
    return Happening(moment, columns, "", "")
