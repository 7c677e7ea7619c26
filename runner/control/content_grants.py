"""Grants of content: who may read texts for a time although the role does not say so, and who decided it.

A grant reaches no further than the person sees numbers, and a deny grant of read_payload wins over it. It is
asked at each reading, so that it ends at its time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import new_event_id
from ingest.reader import run_events
from runner.control.access import Ruling, Target, agent_target, denial, may
from runner.control.assurance_tables import content_grants
from runner.control.registry import Registry
from runner.errors import AccessRefused, AssuranceRefused, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

_G = content_grants.c
LONGEST_DAYS = 31
_ADVICE = "`fleetbook grant-content` gives a person a time to read, decided by somebody who may read."


@dataclass(frozen=True, kw_only=True)
class ContentGrant:
    """One grant; without run and agent it covers every text of what the person may see."""

    grant_id: str
    person_id: str
    agent_id: str | None
    run_id: str | None
    reason: str
    granted_by: str
    granted_at: dt.datetime
    expires_at: dt.datetime
    ended_by: str | None = None
    ended_at: dt.datetime | None = None

    def is_in_force(self, now: dt.datetime) -> bool:
        """Whether it counts at ``now``: neither over nor taken back."""
        return self.ended_at is None and now < self.expires_at

    def covers(self, target: Target, run_id: str | None) -> bool:
        """Whether it reaches the texts of the run, or of the target where no run is asked about."""
        if self.run_id is not None:
            return self.run_id == run_id
        return self.agent_id is None or self.agent_id == target.agent_id


_FIELDS = tuple(ContentGrant.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Whether a person may read texts and by which rule; ``grant_id`` is None where the role lets them."""

    ruling: Ruling
    grant_id: str | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the texts may be shown."""
        return self.ruling.allowed


def reading(
    connection: Connection,
    registry: Registry,
    person_id: str,
    target: Target,
    now: dt.datetime,
    *,
    run_id: str | None = None,
) -> Reading:
    """Whether ``person_id`` may read texts of ``target`` at ``now``: by role, else by a grant in force."""
    by_role = may(registry, person_id, "read_payload", target)
    sees = may(registry, person_id, "view_metrics", target)
    if by_role.allowed or not sees.allowed:
        return Reading(ruling=by_role)
    forbidden = denial(registry, person_id, "read_payload", target)
    if forbidden is not None:
        return Reading(ruling=forbidden)
    for one in of_person(connection, person_id):
        if one.is_in_force(now) and one.covers(target, run_id):
            sentence = (
                f"{one.granted_by} lets {person_id} read texts until {one.expires_at:%Y-%m-%d %H:%M} UTC"
            )
            ruling = Ruling(allowed=True, rule_id=f"grant:{one.grant_id}", sentence=sentence)
            return Reading(ruling=ruling, grant_id=one.grant_id)
    return Reading(ruling=by_role)


def require(control: Core, person_id: str, target: Target, *, run_id: str | None = None) -> Reading:
    """The reading that is allowed. Raises AccessRefused, with an event, when none is."""
    registry = control.registry()
    control.known_person(registry, person_id)
    with control.store.read() as connection:
        found = reading(connection, registry, person_id, target, control.store.clock(), run_id=run_id)
    if not found.is_allowed:
        control.tell_refusal(registry, person_id, "read_payload", found.ruling, target, run_id=run_id)
        raise AccessRefused(found.ruling.rule_id, found.ruling.sentence, _ADVICE)
    return found


def grant(
    control: Core,
    person_id: str,
    until: dt.datetime,
    reason: str,
    by: str,
    *,
    agent_id: str | None = None,
    run_id: str | None = None,
) -> ContentGrant:
    """Let ``person_id`` read texts until ``until``: of a run, of an agent's runs, or of all they may see.

    ``by`` is another person who may read these texts by role. Raises AssuranceRefused without a reason, for
    a time that is past or more than 31 days ahead, and for oneself; NotFound; AccessRefused.
    """
    registry = control.registry()
    control.known_person(registry, person_id)
    target = target_of(control, registry, agent_id, run_id)
    control.require(registry, by, "read_payload", target, run_id=run_id)
    if target == Target() and registry.roles[registry.people[by].role].scope != "all":
        advice = "Name --agent or --run, or ask somebody who reaches all teams."
        raise AccessRefused(
            "scope:all", f"{by} does not reach all teams and cannot give away all texts", advice
        )
    sees = may(registry, person_id, "view_metrics", target)
    if not sees.allowed:
        advice = "A grant of content reaches no further than the numbers a person sees."
        raise AccessRefused(sees.rule_id, sees.sentence, advice)
    with control.store.write() as tx:
        _check(person_id, until, reason, by, tx.now)
        made = ContentGrant(
            grant_id=new_event_id(tx.now),
            person_id=person_id,
            agent_id=agent_id,
            run_id=run_id,
            reason=reason.strip(),
            granted_by=by,
            granted_at=tx.now,
            expires_at=until,
        )
        tx.sql.execute(sa.insert(content_grants), {name: getattr(made, name) for name in _FIELDS})
        tx.emit(
            "content_granted",
            {"agent_id": target.agent_id, "team_id": target.team_id, "run_id": run_id},
            grant_id=made.grant_id,
            person_id=person_id,
            actor_id=by,
            reason=made.reason,
            expires_at=until,
        )
    control.relay.flush()
    return made


def end(control: Core, grant_id: str, by: str, reason: str) -> ContentGrant:
    """Take a grant back before its time (its id, or the end of it): who decided it, or who may sign_report.

    Raises NotFound, AssuranceRefused without a reason or when it is over, AccessRefused.
    """
    registry = control.registry()
    with control.store.read() as connection:
        found = _find(connection, grant_id)
    if by != found.granted_by:
        control.require(registry, by, "sign_report", Target())
    about = f"grant {found.grant_id}"
    if not reason.strip():
        raise AssuranceRefused(about, "a reason is missing", "Say why in one sentence.")
    with control.store.write() as tx:
        found = _find(tx.sql, found.grant_id)
        if not found.is_in_force(tx.now):
            raise AssuranceRefused(about, "it is over", "Nothing is left to do.")
        this = sa.update(content_grants).where(_G.grant_id == found.grant_id)
        tx.sql.execute(this.values(ended_by=by, ended_at=tx.now))
        tx.emit(
            "content_grant_ended",
            {"agent_id": found.agent_id, "run_id": found.run_id},
            grant_id=found.grant_id,
            person_id=found.person_id,
            actor_id=by,
            reason=reason.strip(),
        )
        done = _find(tx.sql, found.grant_id)
    control.relay.flush()
    return done


def of_person(connection: Connection, person_id: str | None = None) -> list[ContentGrant]:
    """Grants of a person, or of all, the newest first."""
    query = sa.select(content_grants).order_by(_G.granted_at.desc(), _G.grant_id)
    if person_id is not None:
        query = query.where(_G.person_id == person_id)
    return [
        ContentGrant(**{name: getattr(row, name) for name in _FIELDS}) for row in connection.execute(query)
    ]


def target_of(control: Core, registry: Registry, agent_id: str | None, run_id: str | None) -> Target:
    """What a grant is about. Raises NotFound for an unknown agent or run, AssuranceRefused for both."""
    if agent_id is not None and run_id is not None:
        raise AssuranceRefused("a grant", "it names a run and an agent", "Name one of them.")
    if agent_id is not None:
        if agent_id not in registry.agents:
            raise NotFound("agent", agent_id, None, "`fleetbook agents` lists them.")
        return agent_target(registry, agent_id)
    if run_id is None:
        return Target()
    control.relay.flush()
    events = run_events(control.workspace, run_id)
    if not events:
        raise NotFound("run", run_id, None, "The log has no event of it.")
    first = next((event for event in events if event["event_type"] == "run_requested"), events[0])
    agent, team, person = (first.get(name) for name in ("agent_id", "team_id", "actor_id"))
    return Target(
        agent_id=str(agent) if agent else None,
        team_id=str(team) if team else None,
        person_id=str(person) if person else None,
    )


def _check(person_id: str, until: dt.datetime, reason: str, by: str, now: dt.datetime) -> None:
    about = f"a grant of content to {person_id}"
    if by == person_id:
        raise AssuranceRefused(about, "nobody grants it to themselves", "Ask another person to decide.")
    if not reason.strip():
        raise AssuranceRefused(about, "a reason is missing", "Say in one sentence what it is for.")
    if not now < until <= now + dt.timedelta(days=LONGEST_DAYS):
        problem = f"{until:%Y-%m-%d %H:%M} UTC is past or more than {LONGEST_DAYS} days ahead"
        raise AssuranceRefused(about, problem, "Name a time within the next month with --until.")


def _find(connection: Connection, grant_id: str) -> ContentGrant:
    found = [one for one in of_person(connection) if one.grant_id.endswith(grant_id)]
    if not grant_id or len(found) != 1:
        raise NotFound("grant of content", grant_id, None, "`fleetbook content-grants` lists them.")
    return found[0]
