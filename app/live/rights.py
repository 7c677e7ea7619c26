"""Who may do what, for the page that answers it: the ruling, the matrix, grants, people who left, tokens."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import cast, get_args

from app.desk import Desk
from app.live.reach import sees_agent, sees_all
from ingest.receivers.tokens import read_tokens
from runner.control.access import Ruling, Target, agent_target, may
from runner.control.declared import Action
from runner.control.registry import Grant, Registry
from runner.errors import AccessRefused

__all__ = ["ACTIONS", "GrantRow", "Rights", "Ruling", "TokenRow", "answer", "rights"]

ACTIONS: tuple[str, ...] = get_args(Action)
_RUN: Action = "run_agent"


@dataclass(frozen=True, kw_only=True)
class GrantRow:
    """A grant as declared; an empty ``team``, ``agent``, ``tool`` or ``knowledge`` means any."""

    grant_id: str
    role: str
    action: str
    effect: str
    team: str
    agent: str
    tool: str
    knowledge: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """A sender token: the token itself is nowhere. Times are RFC 3339 texts, UTC."""

    token_id: str
    team_id: str
    label: str
    content: str
    created_at: str
    revoked_at: str


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a person may know of rights: people and agents to ask about, roles, grants, leavers, tokens.

    ``roles`` is role to (scope, actions of its ``may`` list); ``left`` is person id, name and day.
    """

    people: tuple[str, ...]
    agents: tuple[str, ...]
    roles: dict[str, tuple[str, frozenset[str]]]
    grants: tuple[GrantRow, ...]
    left: tuple[tuple[str, str, dt.date], ...]
    tokens: tuple[TokenRow, ...]


def rights(desk: Desk, person_id: str) -> Rights:
    """Rights within the person's reach: all of them, those of the own team, or only their own."""
    registry = desk.control.registry()
    everything = sees_all(registry, person_id)
    team = registry.people[person_id].team
    tokens = [
        TokenRow(
            token_id=one.token_id,
            team_id=one.team_id,
            label=one.label,
            content=str(one.content_capture),
            created_at=one.created_at,
            revoked_at=one.revoked_at or "",
        )
        for one in read_tokens(desk.control.workspace)
        if everything or (one.team_id == team and _sees_team(registry, person_id))
    ]
    left = registry.former_people.items() if everything else ()
    return Rights(
        people=tuple(_people(registry, person_id)),
        agents=tuple(_agents(registry, person_id)),
        roles={name: (role.scope, frozenset(role.may)) for name, role in registry.roles.items()},
        grants=tuple(_grant(one) for one in registry.grants if everything or _touches(registry, one, team)),
        left=tuple((one_id, one.name, one.left) for one_id, one in left),
        tokens=tuple(tokens),
    )


def answer(desk: Desk, asker_id: str, person_id: str, action: str, agent_id: str | None) -> Ruling:
    """Whether ``person_id`` may do ``action`` on the agent (or at all), with the rule that decided.

    Raises AccessRefused when the asker's reach does not cover the person or the agent.
    """
    registry = desk.control.registry()
    is_known = agent_id is None or agent_id in _agents(registry, asker_id)
    if person_id not in _people(registry, asker_id) or not is_known:
        role = registry.people[asker_id].role
        scope = registry.roles[role].scope
        sentence = f"role {role} asks about its own {'team' if scope == 'team' else 'rights'} only"
        raise AccessRefused(f"scope:{scope}", sentence, "Ask a platform lead.")
    target = agent_target(registry, agent_id) if agent_id else Target()
    return may(registry, person_id, cast(Action, action), target)


def runners(desk: Desk, asker_id: str, agent_id: str) -> list[str]:
    """The people, of those the asker may ask about, who may run the agent."""
    registry = desk.control.registry()
    if not sees_agent(registry, asker_id, agent_id):
        return []
    target = agent_target(registry, agent_id)
    return [one for one in _people(registry, asker_id) if may(registry, one, _RUN, target).allowed]


def _people(registry: Registry, person_id: str) -> list[str]:
    if sees_all(registry, person_id):
        return list(registry.people)
    if not _sees_team(registry, person_id):
        return [person_id]
    team = registry.people[person_id].team
    return [one for one, person in registry.people.items() if person.team == team]


def _agents(registry: Registry, person_id: str) -> list[str]:
    everything, team = sees_all(registry, person_id), registry.people[person_id].team
    return [name for name, agent in registry.agents.items() if everything or agent.team == team]


def _sees_team(registry: Registry, person_id: str) -> bool:
    return registry.roles[registry.people[person_id].role].scope in ("team", "all")


def _touches(registry: Registry, grant: Grant, team: str) -> bool:
    """Whether a grant says something about the team: names it, an agent of it, or nobody in particular."""
    if grant.agent is not None:
        agent = registry.agents.get(grant.agent)
        return agent is not None and agent.team == team
    return grant.team in (None, team)


def _grant(one: Grant) -> GrantRow:
    return GrantRow(
        grant_id=one.id,
        role=one.role,
        action=one.action,
        effect=one.effect,
        team=one.team or "",
        agent=one.agent or "",
        tool=one.tool or "",
        knowledge=one.knowledge or "",
        reason=one.reason,
    )
