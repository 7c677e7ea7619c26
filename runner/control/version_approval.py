"""Approval of versions: a second person, who neither wrote nor applied a version, puts it in force."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value
from runner.control.access import Ruling, agent_target, may
from runner.control.declare_agents import put_in_force
from runner.control.lifecycle import find_agent
from runner.control.registry import Registry
from runner.control.store import Transaction
from runner.control.tables import agent_versions, agents
from runner.control.versions import Frozen, thaw
from runner.errors import AccessRefused, NotFound

if TYPE_CHECKING:
    from runner.control.admission import AgentState
    from runner.control.core import Core

_V = agent_versions.c
_ADVICE = {
    "author-is-approver": "Ask somebody who did not write it.",
    "applier-is-approver": "Ask somebody who did not apply it.",
    "author-unknown": "Name the author in registry.yaml, or apply it with `--as <person>`.",
    "version-superseded": "A later version is in force; `fleetbook agents versions` lists them.",
}


@dataclass(frozen=True, kw_only=True)
class VersionState:
    """A declared version: who declared it when, and whether and by whom it was approved."""

    agent_version: int
    version_hash: str
    frozen: Frozen
    declared_at: dt.datetime
    declared_by: str | None
    is_approval_needed: bool
    approved_by: str | None
    approved_at: dt.datetime | None
    is_in_force: bool

    @property
    def is_waiting(self) -> bool:
        """True while a second person has to approve it."""
        return self.is_approval_needed and self.approved_at is None


def versions_of(connection: Connection, agent_id: str) -> list[VersionState]:
    """Every version of the agent, oldest first."""
    in_force = sa.select(agents.c.agent_version).where(agents.c.agent_id == agent_id)
    number = connection.execute(in_force).scalar_one_or_none()
    rows = connection.execute(
        sa.select(agent_versions).where(_V.agent_id == agent_id).order_by(_V.agent_version)
    )
    return [_state(row, number) for row in rows]


def _state(row: sa.Row[tuple[object, ...]], in_force: int | None) -> VersionState:
    waits = bool(row.is_approval_needed) and row.approved_at is None
    return VersionState(
        agent_version=row.agent_version,
        version_hash=row.version_hash,
        frozen=thaw(row.spec),
        declared_at=row.declared_at,
        declared_by=row.declared_by,
        is_approval_needed=bool(row.is_approval_needed),
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        is_in_force=row.agent_version == in_force and not waits,
    )


def waiting_versions(connection: Connection) -> list[tuple[str, int]]:
    """Agent and number of each newest version that waits for approval."""
    newest = sa.select(_V.agent_id, sa.func.max(_V.agent_version).label("newest")).group_by(_V.agent_id)
    found = newest.subquery()
    this = sa.and_(_V.agent_id == found.c.agent_id, _V.agent_version == found.c.newest)
    waits = sa.and_(_V.is_approval_needed.is_(True), _V.approved_at.is_(None))
    query = sa.select(_V.agent_id, _V.agent_version).join(found, this).where(waits).order_by(_V.agent_id)
    return [(row.agent_id, row.agent_version) for row in connection.execute(query)]


def find_version(connection: Connection, agent_id: str, number: int | None) -> VersionState:
    """That version of the agent, without a number the newest. Raises NotFound."""
    found = versions_of(connection, agent_id)
    chosen = [one for one in found if number in (None, one.agent_version)]
    if not chosen:
        name = f"{agent_id} v{number}" if number else agent_id
        raise NotFound("agent version", name, None, f"`fleetbook agents versions {agent_id}` lists them.")
    return chosen[-1]


def approve_version(
    control: Core, agent_id: str, number: int | None, person_id: str, reason: str = ""
) -> VersionState:
    """Approve a version (the newest without a number), which is in force from then on.

    Returns it as it was before: with ``is_in_force`` there was nothing to approve, and nothing is written.
    Raises AccessRefused, told in the log with the rule, and NotFound.
    """
    registry = control.registry()
    control.known_person(registry, person_id)
    target = agent_target(registry, agent_id)
    with control.store.write() as tx:
        state = find_agent(tx.sql, registry, agent_id)
        version = find_version(tx.sql, agent_id, number)
        ruling = may_approve(registry, state, version, person_id)
        if ruling.allowed and not version.is_in_force:
            _approve(tx, registry, state, version, person_id, reason)
    if not ruling.allowed:
        control.tell_refusal(registry, person_id, "approve_version", ruling, target)
        why = f"`fleetbook may {person_id} approve_version {agent_id}` explains it."
        raise AccessRefused(ruling.rule_id, ruling.sentence, _ADVICE.get(ruling.rule_id, why))
    control.relay.flush()
    return version


def may_approve(registry: Registry, state: AgentState, version: VersionState, person_id: str) -> Ruling:
    """Whether ``person_id`` may approve ``version``: by role, as a second person, and while it waits."""
    named = f"version {version.agent_version} of {state.agent_id}"
    ruling = may(registry, person_id, "approve_version", agent_target(registry, state.agent_id))
    if not ruling.allowed:
        return ruling
    if version.is_in_force:
        return ruling
    if version.agent_version < state.agent_version:
        return _no("version-superseded", f"{named} is older than version {state.agent_version} in force")
    if version.frozen.author is None and version.declared_by is None:
        return _no("author-unknown", f"nobody is named as who wrote or applied {named}")
    if person_id == version.frozen.author:
        return _no("author-is-approver", f"{person_id} wrote {named}")
    if person_id == version.declared_by:
        return _no("applier-is-approver", f"{person_id} applied {named}")
    return ruling


def approvers(registry: Registry, state: AgentState, version: VersionState) -> list[str]:
    """Everybody who may approve ``version``, the agent's owner first."""
    agent = registry.agents.get(state.agent_id)
    owner = agent.owner if agent else None
    able = [one for one in registry.people if may_approve(registry, state, version, one).allowed]
    return sorted(able, key=lambda one: (one != owner, one))


def _approve(
    tx: Transaction,
    registry: Registry,
    state: AgentState,
    version: VersionState,
    person_id: str,
    reason: str,
) -> None:
    this = sa.and_(_V.agent_id == state.agent_id, _V.agent_version == version.agent_version)
    approval = {"approved_by": person_id, "approved_at": tx.now}
    tx.sql.execute(sa.update(agent_versions).where(this), approval)
    put_in_force(tx, state.agent_id, version.agent_version, version.frozen)
    about: dict[str, Value] = {
        "actor_id": person_id,
        "person_id": person_id,
        "agent_id": state.agent_id,
        "agent_version": version.agent_version,
        "team_id": version.frozen.team,
    }
    tx.emit("version_approved", about, version_hash=version.version_hash, reason=reason or None)
    agent = registry.agents.get(state.agent_id)
    if not state.is_approved and state.status == "review" and agent is not None:
        # The status that the file asked for was kept back until now.
        said = f"version {version.agent_version} approved by {person_id}"
        values = {"status": agent.status, "status_reason": said, "status_decided_at": tx.now}
        tx.sql.execute(sa.update(agents).where(agents.c.agent_id == state.agent_id), values)
        tx.emit("status_changed", about, status=agent.status, reason=said)


def _no(rule_id: str, sentence: str) -> Ruling:
    return Ruling(allowed=False, rule_id=rule_id, sentence=sentence)
