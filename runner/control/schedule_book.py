"""What people ask of schedules: when they come next, and what became of the slots that have come."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa
from cronsim import CronSim
from sqlalchemy.engine import Connection

from runner.control.registry import Registry
from runner.control.registry_extras import Schedule
from runner.control.schedules import find_schedule
from runner.control.slots import Timetable, timetable
from runner.control.tables import schedule_cursors, schedule_slots

if TYPE_CHECKING:
    from runner.control.core import Core

_NEXT = 3
_MOST_TO_COME = 10_000
_S, _C = schedule_slots.c, schedule_cursors.c


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A schedule, its next slots, what became of its last slot, and the counts of all that have come."""

    schedule_id: str
    agent_id: str
    run_as: str
    cron: str
    words: str
    time_zone: str
    misfire: str
    grace_minutes: int
    paused: bool
    next_slots: tuple[dt.datetime, ...]
    last_slot: dt.datetime | None
    last_status: str | None
    last_lateness_s: float | None
    last_run_id: str | None
    fired_count: int
    late_count: int
    missed_count: int
    refused_count: int


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A slot and what became of it: fired, refused, missed, due (no worker has looked yet) or to come."""

    schedule_id: str
    slot_at: dt.datetime
    status: str
    is_late: bool = False
    run_id: str | None = None
    reason: str | None = None


def standings(control: Core) -> list[Standing]:
    """All declared schedules, by id."""
    now = control.store.clock()
    with control.store.read() as connection:
        registry = control.registry_in(connection)
        return [
            _standing(connection, registry, schedule_id, schedule, now)
            for schedule_id, schedule in sorted(registry.schedules.items())
        ]


def expected_fires(
    control: Core, since: dt.datetime, until: dt.datetime, schedule_id: str | None = None
) -> list[Expected]:
    """Every slot from ``since`` up to ``until`` (not included), oldest first. Raises NotFound.

    Slots of schedules that were changed or removed since are there as they were.
    """
    now = control.store.clock()
    with control.store.read() as connection:
        registry = control.registry_in(connection)
        if schedule_id is not None:
            find_schedule(registry, schedule_id)
        wanted = {name: one for name, one in registry.schedules.items() if schedule_id in (None, name)}
        query = sa.select(schedule_slots).where(_S.slot_at >= since, _S.slot_at < until)
        if schedule_id is not None:
            query = query.where(_S.schedule_id == schedule_id)
        known = [_known(row) for row in connection.execute(query)]
        cursors = {
            row.schedule_id: row.accounted_until for row in connection.execute(sa.select(schedule_cursors))
        }
    there = {(one.schedule_id, one.slot_at) for one in known}
    ahead = [
        Expected(schedule_id=name, slot_at=slot, status="due" if slot <= now else "to come")
        for name, one in wanted.items()
        if not one.paused
        for slot in _ahead(timetable(registry, one), max(since, cursors.get(name, now)), until)
        if (name, slot) not in there
    ]
    return sorted([*known, *ahead], key=lambda one: (one.slot_at, one.schedule_id))


def _ahead(times: Timetable, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    return times.between(after, until - dt.timedelta(microseconds=1), _MOST_TO_COME)


def _known(row: sa.Row[tuple[object, ...]]) -> Expected:
    return Expected(**{name: getattr(row, name) for name in Expected.__dataclass_fields__})


def _standing(
    connection: Connection, registry: Registry, schedule_id: str, schedule: Schedule, now: dt.datetime
) -> Standing:
    times = timetable(registry, schedule)
    mine = _S.schedule_id == schedule_id
    groups = (_S.status, _S.is_late)
    counted = sa.select(*groups, sa.func.count().label("slot_count")).where(mine).group_by(*groups)
    counts: Counter[str] = Counter()
    for row in connection.execute(counted):
        counts[row.status] += row.slot_count
        counts["late"] += row.slot_count if row.status == "fired" and row.is_late else 0
    last = connection.execute(
        sa.select(schedule_slots).where(mine).order_by(_S.slot_at.desc()).limit(1)
    ).first()
    has_fired = last is not None and last.status == "fired"
    return Standing(
        schedule_id=schedule_id,
        agent_id=schedule.agent,
        run_as=schedule.run_as,
        cron=schedule.cron,
        words=CronSim(schedule.cron, now).explain(),
        time_zone=times.time_zone,
        misfire=schedule.misfire,
        grace_minutes=schedule.grace_minutes,
        paused=schedule.paused,
        next_slots=() if schedule.paused else tuple(islice(times.after(now), _NEXT)),
        last_slot=last.slot_at if last else None,
        last_status=last.status if last else None,
        last_lateness_s=(last.decided_at - last.slot_at).total_seconds() if last and has_fired else None,
        last_run_id=last.run_id if last else None,
        fired_count=counts["fired"],
        late_count=counts["late"],
        missed_count=counts["missed"],
        refused_count=counts["refused"],
    )
