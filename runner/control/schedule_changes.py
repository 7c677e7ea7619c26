"""Schedules, changed by command or page: added, paused, resumed and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml.comments import CommentedMap

from runner.control.access import Target, agent_target
from runner.control.amend import Right, amend, part
from runner.control.declared import nearest
from runner.control.plan import Plan
from runner.control.registry import Registry
from runner.control.registry_extras import Schedule
from runner.errors import AlreadyDeclared, NotFound

if TYPE_CHECKING:
    from runner.control.plane import Control


def add_schedule(control: Control, schedule_id: str, schedule: Schedule, *, by: str) -> Plan:
    """Declare a schedule. It runs as whoever adds it; as somebody else only by who may change that person.

    Raises AlreadyDeclared, AccessRefused, and RegistryInvalid for names that lead nowhere.
    """
    registry = control.registry()
    runner = registry.people.get(schedule.run_as)
    if runner is not None and schedule.run_as != by:
        control.require(registry, by, "change_people", Target(team_id=runner.team))
    if schedule_id in registry.schedules:
        advice = f"Choose another id, or remove it with `fleetbook schedules remove {schedule_id}`."
        raise AlreadyDeclared("schedule", schedule_id, advice)
    plain = schedule.model_dump(mode="json", exclude_defaults=True)

    def edit(tree: CommentedMap) -> None:
        part(tree, "schedules")[schedule_id] = plain

    return amend(control, edit, person_id=by, right=_right(registry, schedule.agent))


def pause_schedule(control: Control, schedule_id: str, *, by: str, reason: str | None = None) -> Plan:
    """The schedule fires no more until it is resumed. Raises NotFound, AccessRefused."""
    return _set_paused(control, schedule_id, True, by, reason)


def resume_schedule(control: Control, schedule_id: str, *, by: str, reason: str | None = None) -> Plan:
    """The schedule fires again; what it missed while it was paused stays undone. Raises NotFound,
    AccessRefused, RegistryInvalid when the person it runs as has left."""
    return _set_paused(control, schedule_id, False, by, reason)


def remove_schedule(control: Control, schedule_id: str, *, by: str, reason: str | None = None) -> Plan:
    """Take a schedule out of registry.yaml. Raises NotFound, AccessRefused."""
    registry = control.registry()
    schedule = find_schedule(registry, schedule_id)

    def edit(tree: CommentedMap) -> None:
        del tree["schedules"][schedule_id]

    return amend(control, edit, person_id=by, right=_right(registry, schedule.agent), reason=reason)


def find_schedule(registry: Registry, schedule_id: str) -> Schedule:
    """The declared schedule of that id. Raises NotFound with the nearest one."""
    found = registry.schedules.get(schedule_id)
    if found is None:
        close = nearest(schedule_id, list(registry.schedules))
        raise NotFound("schedule", schedule_id, close, "`fleetbook schedules` lists them.")
    return found


def _set_paused(control: Control, schedule_id: str, paused: bool, by: str, reason: str | None) -> Plan:
    registry = control.registry()
    schedule = find_schedule(registry, schedule_id)

    def edit(tree: CommentedMap) -> None:
        if paused:
            tree["schedules"][schedule_id]["paused"] = True
        else:
            tree["schedules"][schedule_id].pop("paused", None)

    return amend(control, edit, person_id=by, right=_right(registry, schedule.agent), reason=reason)


def _right(registry: Registry, agent_id: str) -> Right:
    return Right("change_schedules", agent_target(registry, agent_id))
