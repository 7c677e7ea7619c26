"""Declares agents: versions are numbered, frozen and told; some wait for a second person's approval."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa

from ingest.contract import Value
from runner.control.admission import STARTABLE
from runner.control.divergence import diverged_fields
from runner.control.registry import Agent, Registry
from runner.control.store import Transaction
from runner.control.tables import agent_versions, agents
from runner.control.versions import Frozen, freeze, thaw

_V = agent_versions.c
_NEWEST = (
    sa.select(agent_versions)
    .where(_V.agent_id == sa.bindparam("of_agent"))
    .order_by(_V.agent_version.desc())
    .limit(1)
)


class AgentDeclarations:
    """The agents of one application of a registry, in one transaction; ``why`` is its actor and reason."""

    def __init__(
        self, tx: Transaction, applied: Registry | None, declared: Registry, why: Mapping[str, Value]
    ) -> None:
        self._tx = tx
        self._old = applied
        self._new = declared
        self._why = why
        self._actor = why["actor_id"]

    def write(self) -> None:
        """Write versions, first statuses and hand-overs of every agent that is declared."""
        for agent_id, agent in self._new.agents.items():
            self._agent(agent_id, agent)

    def _agent(self, agent_id: str, agent: Agent) -> None:
        frozen = freeze(self._new, agent)
        newest = self._tx.sql.execute(_NEWEST, {"of_agent": agent_id}).first()
        before = self._old.agents.get(agent_id) if self._old else None
        if newest is None:
            needs_approval = self._is_watched(frozen)
            self._declare_version(agent_id, agent, frozen, 1, needs_approval)
            self._first_status(agent_id, agent, frozen, needs_approval)
        elif newest.version_hash != frozen.version_hash():
            needs_approval = self._is_watched(frozen) or self._is_watched(self._in_force(agent_id))
            version = newest.agent_version + 1
            self._declare_version(agent_id, agent, frozen, version, needs_approval)
            if not needs_approval:
                put_in_force(self._tx, agent_id, version, frozen)
        if newest is not None and before and (before.owner, before.deputy) != (agent.owner, agent.deputy):
            self._tx.emit(
                "owner_changed",
                self._why,
                agent_id=agent_id,
                team_id=agent.team,
                owner_id=agent.owner,
                deputy_id=agent.deputy,
            )

    def _is_watched(self, frozen: Frozen) -> bool:
        """Whether a version of this risk class needs a second person, by the rules declared now."""
        return frozen.risk.risk_class in self._new.oversight.second_person_approves_versions

    def _in_force(self, agent_id: str) -> Frozen:
        """The version in force: an agent does not leave a watched risk class without the second person."""
        this = sa.and_(_V.agent_id == agents.c.agent_id, _V.agent_version == agents.c.agent_version)
        query = sa.select(_V.spec).join(agents, this).where(agents.c.agent_id == agent_id)
        return thaw(self._tx.sql.execute(query).scalar_one())

    def _declare_version(
        self, agent_id: str, agent: Agent, frozen: Frozen, version: int, needs_approval: bool
    ) -> None:
        columns: dict[str, Value] = {
            "actor_id": self._actor,
            "agent_id": agent_id,
            "team_id": agent.team,
            "agent_version": version,
        }
        self._tx.emit(
            "agent_version_declared",
            {**self._why, **columns, **self._described(agent, frozen)},
            text=frozen.canonical(),
            kind="specification",
            is_approval_needed=needs_approval or None,
        )
        for tool in frozen.tools:
            self._tx.emit(
                "tool_rule_set",
                columns,
                tool_name=tool.name,
                tool_effect=tool.effect,
                approval_rule=tool.approval.id if tool.approval else None,
                approver_role=tool.approval.approver_role if tool.approval else None,
            )
        row = {
            "agent_id": agent_id,
            "agent_version": version,
            "version_hash": frozen.version_hash(),
            "spec": frozen.canonical(),
            "declared_at": self._tx.now,
            "declared_by": self._actor,
            "is_approval_needed": needs_approval,
        }
        self._tx.sql.execute(sa.insert(agent_versions), row)

    def _described(self, agent: Agent, frozen: Frozen) -> dict[str, Value]:
        review_by, template = agent.risk.review_by, agent.template
        return {
            "version_hash": frozen.version_hash(),
            "agent_name": agent.name,
            "purpose": agent.purpose,
            "owner_id": agent.owner,
            "deputy_id": agent.deputy,
            "author_id": agent.author,
            "risk_class": agent.risk.risk_class,
            "risk_reasons": ";".join(agent.risk.reasons) or None,
            "risk_assessor_id": agent.risk.assessor,
            "risk_review_by": dt.datetime.combine(review_by, dt.time(), dt.UTC) if review_by else None,
            "template_id": template.id if template else None,
            "template_version": template.version if template else None,
            "diverged_fields": ";".join(diverged_fields(self._new, agent)) or None,
            "requested_model": frozen.requested_model,
            "provider_name": agent.provider,
            "expected_use": agent.expected_use or None,
            "max_output_tokens": agent.max_output_tokens,
        }

    def _first_status(self, agent_id: str, agent: Agent, frozen: Frozen, needs_approval: bool) -> None:
        status, reason = agent.status, "declared in registry.yaml"
        if needs_approval and status in STARTABLE:
            status, reason = "review", "a second person has to approve version 1"
        row = {
            "agent_id": agent_id,
            "team_id": agent.team,
            "agent_version": 1,
            "version_hash": frozen.version_hash(),
            "status": status,
            "status_reason": reason,
            "status_decided_at": self._tx.now,
        }
        self._tx.sql.execute(sa.insert(agents), row)
        self._tx.emit(
            "status_changed",
            actor_id=self._actor,
            agent_id=agent_id,
            team_id=agent.team,
            agent_version=1,
            status=status,
            reason=reason,
        )


def put_in_force(tx: Transaction, agent_id: str, version: int, frozen: Frozen) -> None:
    """Runs that start from now on are of this version."""
    columns = {"team_id": frozen.team, "agent_version": version, "version_hash": frozen.version_hash()}
    tx.sql.execute(sa.update(agents).where(agents.c.agent_id == agent_id), columns)
