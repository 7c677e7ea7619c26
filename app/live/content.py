"""Who may read texts under a grant, and what a page lets somebody grant or end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.desk import Desk
from runner.control import content_grants
from runner.control.access import WHOLE_COMPANY, may
from runner.control.content_grants import ContentGrant

__all__ = ["ContentGrant", "Grants", "end", "give", "grants"]


@dataclass(frozen=True, kw_only=True)
class Grants:
    """Grants, those in force first, as of ``now`` (UTC).

    ``can_get`` are the people whom the asking person may grant texts, by id; ``can_end`` the grants in force
    that the person may take back.
    """

    ones: tuple[ContentGrant, ...]
    now: dt.datetime
    can_get: tuple[str, ...]
    can_end: tuple[ContentGrant, ...]


def grants(desk: Desk, person_id: str) -> Grants:
    """All grants for who sees every team, else the person's own; and what the person may do about them."""
    control = desk.control
    registry = control.registry()
    person = registry.people.get(person_id)
    sees_all = person is not None and registry.roles[person.role].scope == "all"
    with control.store.read() as connection:
        found = content_grants.of_person(connection, None if sees_all else person_id)
    now = control.store.clock()
    ends_any = may(registry, person_id, "sign_report", WHOLE_COMPANY).allowed
    reads = sees_all and may(registry, person_id, "read_payload", WHOLE_COMPANY).allowed
    can_get = [
        other
        for other in (registry.people if reads else ())
        if other != person_id
        and may(registry, other, "view_metrics", WHOLE_COMPANY).allowed
        and not may(registry, other, "read_payload", WHOLE_COMPANY).allowed
    ]
    return Grants(
        ones=tuple(sorted(found, key=lambda one: not one.is_in_force(now))),
        now=now,
        can_get=tuple(can_get),
        can_end=tuple(
            one for one in found if one.is_in_force(now) and (ends_any or one.granted_by == person_id)
        ),
    )


def give(desk: Desk, by: str, person_id: str, lasts: dt.timedelta, about: str, reason: str) -> ContentGrant:
    """Let ``person_id`` read texts for as long as ``lasts``; ``about`` is an agent, a run, or empty for all.

    Raises what :func:`runner.control.content_grants.grant` raises.
    """
    control = desk.control
    named = about.strip()
    is_agent = named in control.registry().agents
    return content_grants.grant(
        control,
        person_id,
        control.store.clock() + lasts,
        reason,
        by,
        agent_id=named if is_agent else None,
        run_id=named if named and not is_agent else None,
    )


def end(desk: Desk, by: str, grant_id: str, reason: str) -> ContentGrant:
    """Take a grant back. Raises what :func:`runner.control.content_grants.end` raises."""
    return content_grants.end(desk.control, grant_id, by, reason)
