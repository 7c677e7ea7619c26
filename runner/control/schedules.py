"""Schedules at work: every slot is fired, refused or missed, exactly once, whichever worker comes first.

A cursor per schedule says how far its slots are accounted for; a row per slot makes a second fire
impossible. A clock that jumps back finds the rows; one that jumps ahead, or a worker that was away for days,
meets the misfire policy and its bound.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from ingest.contract import Value
from runner.control import requests
from runner.control.declared import nearest
from runner.control.owners import require_owner_or
from runner.control.registry import Registry
from runner.control.registry_extras import Schedule
from runner.control.requests import Wish
from runner.control.slots import MOST_AT_ONCE, Timetable, Verdict, timetable, verdicts
from runner.control.store import Transaction
from runner.control.tables import registry_revisions, schedule_cursors, schedule_slots
from runner.errors import ModelUnusable, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

# A minute's schedule after a month away has 43,200 slots: they are told in steps.
_SLOTS_PER_STEP = 500
_MICROSECOND = dt.timedelta(microseconds=1)

_S, _C = schedule_slots.c, schedule_cursors.c
_CURSORS = sa.select(schedule_cursors)
_CURSOR = _CURSORS.where(_C.schedule_id == sa.bindparam("of")).with_for_update()
_MOVE = (
    sa.update(schedule_cursors)
    .where(_C.schedule_id == sa.bindparam("of"))
    .values(spec=sa.bindparam("as_of"), accounted_until=sa.bindparam("until"))
)
_DROP = sa.delete(schedule_cursors).where(_C.schedule_id == sa.bindparam("of"))
_KNOWN = sa.select(_S.slot_at).where(
    _S.schedule_id == sa.bindparam("of"),
    _S.slot_at >= sa.bindparam("first", type_=_S.slot_at.type),
    _S.slot_at <= sa.bindparam("last", type_=_S.slot_at.type),
)
_CHANGED = sa.select(sa.func.max(registry_revisions.c.applied_at, type_=registry_revisions.c.applied_at.type))


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What decides when slots are expected; a change of it starts a new account."""

    agent_id: str
    team_id: str | None
    cron: str
    time_zone: str
    paused: bool

    @property
    def timetable(self) -> Timetable:
        """When the slots are."""
        return Timetable(cron=self.cron, time_zone=self.time_zone)

    def text(self) -> str:
        """As the cursor keeps it."""
        return json.dumps(self.__dict__, sort_keys=True)


class Slot(NamedTuple):
    """A slot and what became of it: fired, refused (by ``refusal_rule``) or missed."""

    schedule_id: str
    slot_at: dt.datetime
    status: str
    is_late: bool
    run_id: str | None
    reason: str | None
    refusal_rule: str | None


def spec_of(registry: Registry, schedule: Schedule) -> Spec:
    """The spec of a declared schedule."""
    times = timetable(registry, schedule)
    agent = registry.agents.get(schedule.agent)
    return Spec(
        agent_id=schedule.agent,
        team_id=agent.team if agent else None,
        cron=times.cron,
        time_zone=times.time_zone,
        paused=schedule.paused,
    )


def fire_due(control: Core) -> list[Slot]:
    """Account for every slot that is due now; returns what became of them. Safe in many workers at once."""
    done: list[Slot] = []
    for schedule_id in _with_something_due(control):
        while True:
            with control.store.write() as tx:
                step = _account(control, tx, schedule_id)
            done += step
            if len(step) < _SLOTS_PER_STEP:
                break
    return done


def run_now(control: Core, schedule_id: str, person_id: str) -> str:
    """Start the run of a schedule at once, outside its slots; returns its run_id.

    It runs as the schedule's identity, like its slots. Whoever may change_schedules of the agent may, and
    the agent's owner and deputy. Raises NotFound, AccessRefused, RunRefused, ModelUnusable.
    """
    registry = control.registry()
    schedule = find_schedule(registry, schedule_id)
    require_owner_or(control, registry, person_id, "change_schedules", schedule.agent)
    with control.store.write() as tx:
        answer = requests.admit(control, tx, _wish(schedule))
        if answer.stop is None:
            about = _about(schedule_id, spec_of(registry, schedule), schedule)
            tx.emit("schedule_fired", {**about, "run_id": answer.run.run_id}, person_id=person_id)
    return requests.run_id_of(control, answer)


def find_schedule(registry: Registry, schedule_id: str) -> Schedule:
    """The declared schedule of that id. Raises NotFound."""
    if schedule_id not in registry.schedules:
        advice = "`fleetbook schedules` lists them; a new one is declared under schedules in registry.yaml."
        raise NotFound("schedule", schedule_id, nearest(schedule_id, registry.schedules), advice)
    return registry.schedules[schedule_id]


# What is due


def _with_something_due(control: Core) -> list[str]:
    """Schedules that a step has something to do for; reads only."""
    now = control.store.clock()
    with control.store.read() as connection:
        registry = control.registry_in(connection)
        cursors = {row.schedule_id: row for row in connection.execute(_CURSORS)}
    found = [schedule_id for schedule_id in cursors if schedule_id not in registry.schedules]
    for schedule_id, schedule in registry.schedules.items():
        spec, cursor = spec_of(registry, schedule), cursors.get(schedule_id)
        if cursor is None or cursor.spec != spec.text() or _is_due(spec, cursor.accounted_until, now):
            found.append(schedule_id)
    return found


def _is_due(spec: Spec, accounted_until: dt.datetime, now: dt.datetime) -> bool:
    if accounted_until - now > dt.timedelta(minutes=1):
        return True  # the clock was ahead when it was written
    return not spec.paused and bool(spec.timetable.between(accounted_until, now, 1))


def _account(control: Core, tx: Transaction, schedule_id: str) -> list[Slot]:
    """One step: at most :data:`_SLOTS_PER_STEP` slots of one schedule."""
    registry = control.registry_in(tx.sql)
    cursor = tx.sql.execute(_CURSOR, {"of": schedule_id}).first()
    schedule = registry.schedules.get(schedule_id)
    if schedule is None:
        if cursor is None:
            return []
        done = _close_account(tx, schedule_id, cursor, "the schedule was removed before a worker was there")
        tx.sql.execute(_DROP, {"of": schedule_id})
        return done
    spec, done = spec_of(registry, schedule), []
    until = cursor.accounted_until if cursor is not None else _changed_at(tx)
    if cursor is None:
        if not _open_account(tx, schedule_id, spec, until):
            return []
    elif cursor.spec != spec.text():
        done = _close_account(tx, schedule_id, cursor, "the schedule was changed before a worker was there")
        until = max(_changed_at(tx), until)
        _move(tx, schedule_id, spec, until)
    return done if spec.paused else done + _account_due(control, tx, schedule_id, schedule, until)


def _open_account(tx: Transaction, schedule_id: str, spec: Spec, since: dt.datetime) -> bool:
    """Slots are expected ``since`` the schedule was applied; False when another worker was first."""
    row = {"schedule_id": schedule_id, "spec": spec.text(), "accounted_until": since}
    savepoint = tx.sql.begin_nested()
    try:
        tx.sql.execute(sa.insert(schedule_cursors), row)
    except sa.exc.IntegrityError:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def _close_account(
    tx: Transaction, schedule_id: str, cursor: sa.Row[tuple[object, ...]], reason: str
) -> list[Slot]:
    """Slots of the old declaration that nobody was there for are missed."""
    spec = Spec(**json.loads(cursor.spec))
    if spec.paused:
        return []
    until = min(_changed_at(tx), tx.now)
    due = spec.timetable.newest(cursor.accounted_until, until, _SLOTS_PER_STEP - 1)
    known = _known(tx, schedule_id, due)
    missed = [Verdict(slot_at=slot, fires=False, is_late=False, reason=reason) for slot in due]
    about = _about(schedule_id, spec, None)
    return [_miss(tx, about, one) for one in missed if one.slot_at not in known]


def _account_due(
    control: Core, tx: Transaction, schedule_id: str, schedule: Schedule, until: dt.datetime
) -> list[Slot]:
    spec = spec_of(control.registry_in(tx.sql), schedule)
    after = min(until, tx.now)
    due = spec.timetable.between(after, tx.now, _SLOTS_PER_STEP)
    newest = spec.timetable.newest(after, tx.now, MOST_AT_ONCE)
    grace = dt.timedelta(minutes=schedule.grace_minutes)
    known = _known(tx, schedule_id, due)
    about = _about(schedule_id, spec, schedule)
    done: list[Slot] = []
    for one in verdicts(due, newest, tx.now, misfire=schedule.misfire, grace=grace):
        if one.slot_at in known:
            continue
        slot = _fire(control, tx, about, schedule, one) if one.fires else _miss(tx, about, one)
        if slot is None:
            _move(tx, schedule_id, spec, one.slot_at - _MICROSECOND)
            return done
        done.append(slot)
    _move(tx, schedule_id, spec, due[-1] if due else after)
    return done


# What becomes of a slot


def _fire(
    control: Core, tx: Transaction, about: dict[str, Value], schedule: Schedule, verdict: Verdict
) -> Slot | None:
    """Ask for the run; None when this process lacks what the model needs and another may still have it."""
    try:
        run, stop = requests.admit(control, tx, _wish(schedule))
    except ModelUnusable as error:
        if tx.now - verdict.slot_at <= dt.timedelta(minutes=schedule.grace_minutes):
            return None
        return _miss(tx, about, verdict, rule="model-unusable", reason=str(error))
    except NotFound as error:
        return _miss(tx, about, verdict, rule="not-declared", reason=str(error))
    if stop is not None:
        return _miss(tx, about, verdict, rule=stop.rule, reason=stop.reason, run_id=run.run_id)
    slot = _slot(about, verdict, "fired", run_id=run.run_id)
    _put(tx, about, slot)
    tx.emit(
        "schedule_fired",
        {**about, "run_id": run.run_id},
        slot_at=verdict.slot_at,
        lateness_ns=(tx.now - verdict.slot_at) // _MICROSECOND * 1000,
        is_late=verdict.is_late,
    )
    return slot


def _miss(
    tx: Transaction,
    about: dict[str, Value],
    verdict: Verdict,
    *,
    rule: str | None = None,
    reason: str | None = None,
    run_id: str | None = None,
) -> Slot:
    why = reason or verdict.reason
    slot = _slot(about, verdict, "refused" if rule else "missed", run_id=run_id, reason=why, rule=rule)
    _put(tx, about, slot)
    columns: dict[str, Value] = {**about, "run_id": run_id}
    tx.emit("schedule_missed", columns, slot_at=verdict.slot_at, reason=why, refusal_rule=rule)
    return slot


def _slot(
    about: dict[str, Value],
    verdict: Verdict,
    status: str,
    *,
    run_id: str | None = None,
    reason: str | None = None,
    rule: str | None = None,
) -> Slot:
    schedule_id = str(about["rule_id"])
    return Slot(schedule_id, verdict.slot_at, status, verdict.is_late, run_id, reason, rule)


def _put(tx: Transaction, about: dict[str, Value], slot: Slot) -> None:
    row = {
        "schedule_id": slot.schedule_id,
        "slot_at": slot.slot_at,
        "agent_id": about["agent_id"],
        "status": slot.status,
        "is_late": slot.is_late,
        "decided_at": tx.now,
        "run_id": slot.run_id,
        "reason": slot.reason,
    }
    tx.sql.execute(sa.insert(schedule_slots), row)


def _known(tx: Transaction, schedule_id: str, due: Iterable[dt.datetime]) -> set[dt.datetime]:
    slots = list(due)
    if not slots:
        return set()
    span = {"of": schedule_id, "first": slots[0], "last": slots[-1]}
    return set(tx.sql.execute(_KNOWN, span).scalars())


def _move(tx: Transaction, schedule_id: str, spec: Spec, until: dt.datetime) -> None:
    tx.sql.execute(_MOVE, {"of": schedule_id, "as_of": spec.text(), "until": until})


def _changed_at(tx: Transaction) -> dt.datetime:
    return tx.sql.execute(_CHANGED).scalar_one() or tx.now


def _wish(schedule: Schedule) -> Wish:
    return Wish(
        agent_id=schedule.agent, task=schedule.task, person_id=schedule.run_as, trigger_kind="schedule"
    )


def _about(schedule_id: str, spec: Spec, schedule: Schedule | None) -> dict[str, Value]:
    return {
        "rule_id": schedule_id,
        "agent_id": spec.agent_id,
        "team_id": spec.team_id,
        "actor_id": schedule.run_as if schedule else None,
    }
