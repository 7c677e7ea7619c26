"""Applies registry.yaml: the difference to what was applied before becomes events, in one transaction.

What is declared may change; what was decided does not: the status of a known agent is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from ingest.contract import Value
from runner.control.declare_agents import AgentDeclarations
from runner.control.declare_around import tell_around
from runner.control.plan import Plan, plan_changes
from runner.control.purses import purse_of
from runner.control.registry import Agent, Budget, Grant, Registry, Team
from runner.control.revisions import applied_registry
from runner.control.store import Store, Transaction
from runner.control.tables import agents, registry_revisions
from runner.control.wallet import declare_cap

_STATUSES = sa.select(agents.c.agent_id, agents.c.status)


def plan(store: Store, declared: Registry) -> Plan:
    """What :func:`apply` would do now."""
    with store.read() as connection:
        applied = applied_registry(connection)
        statuses = {row.agent_id: row.status for row in connection.execute(_STATUSES)}
    return plan_changes(applied, declared, statuses)


def apply(
    store: Store, declared: Registry, *, person_id: str | None = None, reason: str | None = None
) -> Plan:
    """Make ``declared`` the applied registry and tell each difference as an event; returns what it did.

    Applying the same registry again writes nothing. ``person_id`` is the actor of the events, ``reason`` why
    versions, owners, people and schedules change.
    """
    with store.write(recorded_via="registry") as tx:
        applied = applied_registry(tx.sql)
        statuses = {row.agent_id: row.status for row in tx.sql.execute(_STATUSES)}
        done = plan_changes(applied, declared, statuses)
        if not done.is_empty:
            _Application(tx, applied, declared, person_id, reason).write()
    return done


class _Application:
    """One application of a registry within one transaction."""

    def __init__(
        self,
        tx: Transaction,
        applied: Registry | None,
        declared: Registry,
        person_id: str | None,
        reason: str | None,
    ) -> None:
        self._tx = tx
        self._old = applied
        self._new = declared
        self._actor = person_id
        self._reason = reason

    def write(self) -> None:
        """Write all state and events. Order: people before what they own, agents before their budgets."""
        self._teams_and_people()
        self._roles()
        self._grants()
        tell_around(self._tx, self._old, self._new, self._why())
        AgentDeclarations(self._tx, self._old, self._new, self._why()).write()
        self._content_captures()
        self._budgets()
        row = {"applied_at": self._tx.now, "body": self._new.model_dump_json(by_alias=True)}
        self._tx.sql.execute(sa.insert(registry_revisions), row)

    def _why(self) -> dict[str, Value]:
        return {"actor_id": self._actor, "reason": self._reason}

    def _teams_and_people(self) -> None:
        old = self._old
        for team_id, team in self._new.teams.items():
            if old is None or old.teams.get(team_id) != team:
                self._tx.emit(
                    "team_declared",
                    actor_id=self._actor,
                    team_id=team_id,
                    team_name=team.name,
                    owner_id=team.manager,
                    cost_center=team.cost_center or None,
                )
        for person_id, person in self._new.people.items():
            scope = self._new.roles[person.role].scope
            before = old.people.get(person_id) if old else None
            if before != person or (old and old.roles[person.role].scope != scope):
                self._tx.emit(
                    "person_declared",
                    actor_id=self._actor,
                    team_id=person.team,
                    person_id=person_id,
                    person_name=person.name,
                    role_id=person.role,
                    scope=scope,
                )
        for person_id in (old.people if old else {}).keys() - self._new.people.keys():
            self._tx.emit("person_removed", self._why(), person_id=person_id)

    def _roles(self) -> None:
        def ceilings(registry: Registry | None) -> set[tuple[str, str, str]]:
            roles = registry.roles if registry else {}
            return {(name, action, role.scope) for name, role in roles.items() for action in role.may}

        old, new = ceilings(self._old), ceilings(self._new)
        for role_id, action, _scope in sorted(old - new):
            self._tx.emit(
                "role_revoked",
                actor_id=self._actor,
                role_id=role_id,
                action=action,
                rule_id=f"role:{role_id}",
            )
        for role_id, action, scope in sorted(new - old):
            self._tx.emit(
                "role_granted",
                actor_id=self._actor,
                role_id=role_id,
                action=action,
                rule_id=f"role:{role_id}",
                scope=scope,
                grant_effect="allow",
            )

    def _grants(self) -> None:
        old = {grant.id: grant for grant in (self._old.grants if self._old else ())}
        new = {grant.id: grant for grant in self._new.grants}
        for grant_id, grant in old.items():
            if new.get(grant_id) != grant:
                self._tx.emit("role_revoked", self._grant_columns(grant))
        for grant_id, grant in new.items():
            if old.get(grant_id) != grant:
                self._tx.emit("role_granted", self._grant_columns(grant), grant_effect=grant.effect)

    def _grant_columns(self, grant: Grant) -> Mapping[str, Value]:
        return {
            "actor_id": self._actor,
            "role_id": grant.role,
            "action": grant.action,
            "rule_id": grant.id,
            "agent_id": grant.agent,
            "team_id": grant.team,
            "tool_name": grant.tool,
            "knowledge_id": grant.knowledge,
            "reason": grant.reason or None,
        }

    def _content_captures(self) -> None:
        old_teams, old_agents = (self._old.teams, self._old.agents) if self._old else ({}, {})
        for team_id, team in self._new.teams.items():
            self._content_capture(old_teams.get(team_id), team, team_id=team_id)
        for agent_id, agent in self._new.agents.items():
            self._content_capture(old_agents.get(agent_id), agent, agent_id=agent_id, team_id=agent.team)

    def _content_capture(
        self, before: Team | Agent | None, now: Team | Agent, *, team_id: str, agent_id: str | None = None
    ) -> None:
        if now.content_capture != (before.content_capture if before else "on"):
            self._tx.emit(
                "content_capture_set",
                actor_id=self._actor,
                team_id=team_id,
                agent_id=agent_id,
                content_capture=now.content_capture,
            )

    def _budgets(self) -> None:
        old = {budget.wallet_id: budget for budget in (self._old.budgets if self._old else ())}
        new = {budget.wallet_id: budget for budget in self._new.budgets}
        for wallet_id, budget in new.items():
            # A run wallet has a window per run: it is opened, and told, by the run.
            if budget != old.get(wallet_id) and not budget.wallet.startswith("run:"):
                declare_cap(self._tx, purse_of(self._new, budget, self._tx.now))
        for wallet_id in old.keys() - new.keys():
            if self._old and not wallet_id.startswith("run:"):
                self._drop_budget(self._old, old[wallet_id])

    def _drop_budget(self, registry: Registry, budget: Budget) -> None:
        """The wallet is enforced no more; its numbers stay, and the log says from when on."""
        owner = budget.wallet.partition(":")[2]
        if budget.wallet.startswith("agent:") and owner not in registry.agents:
            return
        unlimited = budget.model_copy(
            update={"cap_usd": None, "unlimited": True, "reason": "no longer declared in registry.yaml"}
        )
        declare_cap(self._tx, purse_of(registry, unlimited, self._tx.now))
