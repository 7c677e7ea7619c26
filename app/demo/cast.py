"""Who acts in the demo history: agents in the version of the day, and the people who ask and decide."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.demo import habits
from app.demo.fleet import FLEET
from app.demo.habits import Habit, Past
from app.demo.models import ModelCard, model_card
from app.demo.story import Plan
from runner.control.registry import Registry
from runner.control.versions import FrozenTool, freeze

MANAGED_TEAMS = ("finance", "sales", "support")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One agent version in the history: its number and hash as declared, its model, and how well it does."""

    agent_version: int
    version_hash: str
    declared_at: dt.datetime
    past: Past
    card: ModelCard
    max_output_tokens: int


@dataclass(frozen=True, kw_only=True)
class Player:
    """One agent: habit, team, owner, tools with their rules, and its versions, oldest first."""

    habit: Habit
    name: str
    team_id: str
    owner_id: str
    tools: Mapping[str, FrozenTool]
    versions: Sequence[Version]

    def version_at(self, moment: dt.datetime) -> Version | None:
        """The version in force at ``moment``, or None before the first."""
        found = [version for version in self.versions if version.declared_at <= moment]
        return found[-1] if found else None


@dataclass(frozen=True, kw_only=True)
class DeclaredVersion:
    """A version as the control store numbered it."""

    agent_version: int
    version_hash: str
    declared_at: dt.datetime


class Cast:
    """Agents and people of one plan; ``declared`` holds each agent's versions, oldest first."""

    def __init__(
        self, plan: Plan, registry: Registry, declared: Mapping[str, Sequence[DeclaredVersion]]
    ) -> None:
        self._registry = registry
        self.players = {habit.agent_id: _player(plan, registry, habit, declared) for habit in FLEET}
        self._team = {
            team_id: [
                person_id
                for person_id, person in registry.people.items()
                if person.team == team_id and "run_agent" in registry.roles[person.role].may
            ]
            for team_id in registry.teams
        }

    def role_of(self, person_id: str) -> str:
        """Role of a person."""
        return self._registry.people[person_id].role

    def asker(self, player: Player, dice: random.Random) -> str:
        """Who asks this agent today: users more often than the manager of the team."""
        audience = player.habit.audience
        if audience == "owner":
            return player.owner_id
        if audience == "team":
            people = self._without_only_approvers(player, self._team[player.team_id])
        else:
            teams = self._registry.teams if audience == "everyone" else MANAGED_TEAMS
            people = [person_id for team_id in teams for person_id in self._team[team_id]]
        weights = [1 if self.role_of(person_id) != "agent_user" else 3 for person_id in people]
        return dice.choices(people, weights)[0]

    def reviewer(self, approver_role: str, team_id: str, asker: str) -> str:
        """Who decides: the holder of the role in the team, or the platform lead when that is the asker."""
        lead = next(p for p, person in self._registry.people.items() if person.role == "platform_lead")
        if approver_role == "platform_lead":
            return lead
        manager = self._registry.teams[team_id].manager
        return manager if manager is not None and manager != asker else lead

    def stranger(self, player: Player, dice: random.Random) -> str:
        """A user of another team, who tries an agent that is not theirs."""
        people = [
            person_id
            for person_id, person in self._registry.people.items()
            if person.role == "agent_user" and person.team != player.team_id
        ]
        return dice.choice(people)

    def _without_only_approvers(self, player: Player, people: Sequence[str]) -> Sequence[str]:
        """A platform lead who alone may release a call does not start the run that needs it."""
        gates = [tool.approval for tool in player.tools.values() if tool.approval]
        if any(gate.approver_role == "platform_lead" for gate in gates):
            return [person_id for person_id in people if self.role_of(person_id) != "platform_lead"]
        return people


def _player(
    plan: Plan, registry: Registry, habit: Habit, declared: Mapping[str, Sequence[DeclaredVersion]]
) -> Player:
    agent = registry.agents[habit.agent_id]
    assert agent.owner is not None  # the demo has no orphans
    versions = [
        Version(
            agent_version=one.agent_version,
            version_hash=one.version_hash,
            declared_at=one.declared_at,
            past=past,
            card=model_card(past.model, plan.end),
            max_output_tokens=agent.max_output_tokens,
        )
        for past, one in zip(habit.past, declared[habit.agent_id], strict=False)
    ]
    return Player(
        habit=habit,
        name=agent.name,
        team_id=agent.team,
        owner_id=agent.owner,
        tools={tool.name: tool for tool in freeze(registry, agent).tools},
        versions=versions,
    )


def is_hasty(person_id: str, dice: random.Random) -> bool:
    """True when this reviewer approves without reading: one of them does so more often than not."""
    return person_id == habits.HASTY_REVIEWER and dice.random() < 0.6
