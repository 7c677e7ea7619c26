"""Who may do what: one pure function answers every question with the rule that decided.

A role's ``may`` list is the ceiling and its scope the reach. Running an agent needs a grant besides: nothing
is allowed unless a rule allows it. A deny grant wins over every allow.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.control.declared import Action
from runner.control.registry import Grant, Person, Registry, Role


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an action is about: an agent, a team, and for runs the person whose run it is."""

    agent_id: str | None = None
    team_id: str | None = None
    person_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The answer: ``rule_id`` names the rule that decided, ``sentence`` says it in words."""

    allowed: bool
    rule_id: str
    sentence: str


WHOLE_COMPANY = Target()


def agent_target(registry: Registry, agent_id: str, *, person_id: str | None = None) -> Target:
    """The target for ``agent_id``: its team is looked up in ``registry``."""
    agent = registry.agents.get(agent_id)
    return Target(agent_id=agent_id, team_id=agent.team if agent else None, person_id=person_id)


def may(registry: Registry, person_id: str, action: Action, target: Target) -> Ruling:
    """Whether ``person_id`` may do ``action`` on ``target``; deny over allow, default deny."""
    person = registry.people.get(person_id)
    if person is None:
        return _no("unknown-person", f"{person_id!r} is not among the people of the registry")
    role = registry.roles[person.role]
    if action not in role.may:
        return _no(f"role:{person.role}", f"role {person.role} may not {action}")
    grants = [grant for grant in registry.grants if _matches(grant, person, action, target)]
    denials = [grant for grant in grants if grant.effect == "deny"]
    if denials:
        return _no(denials[0].id, _denial(denials[0], person))
    named = [grant for grant in grants if grant.agent is not None]
    out_of_reach = _out_of_reach(person_id, person, role, action, target)
    if out_of_reach and not named:
        return _no(f"scope:{role.scope}", out_of_reach)
    if action == "run_agent":
        return _by_grant(grants, person, target)
    if out_of_reach:
        return _yes(named[0].id, f"grant {named[0].id} lets role {person.role} {action} on {target.agent_id}")
    return _yes(f"role:{person.role}", f"role {person.role} may {action}, scope {role.scope}")


def _by_grant(grants: list[Grant], person: Person, target: Target) -> Ruling:
    if not grants:
        what = f"agent {target.agent_id}" if target.agent_id else "an agent"
        return _no("default-deny", f"no grant lets role {person.role} run {what}")
    grant = grants[0]
    return _yes(grant.id, f"grant {grant.id} lets role {person.role} run {_range(grant)}")


def _matches(grant: Grant, person: Person, action: Action, target: Target) -> bool:
    return (
        grant.role == person.role
        and grant.action == action
        and (grant.agent is None or grant.agent == target.agent_id)
        and (grant.team is None or grant.team == target.team_id)
    )


def _out_of_reach(person_id: str, person: Person, role: Role, action: Action, target: Target) -> str | None:
    """Why ``target`` is beyond the role's scope, or None. A run that somebody starts is always their own."""
    if role.scope == "all":
        return None
    if role.scope == "own" and action != "run_agent" and target.person_id != person_id:
        return f"role {person.role} reaches own runs only"
    if target.team_id is not None and target.team_id != person.team:
        return f"role {person.role} reaches team {person.team} only, and this is team {target.team_id}"
    if target.team_id is None and target.agent_id is not None:
        return f"agent {target.agent_id} belongs to no team of the registry"
    return None


def _range(grant: Grant) -> str:
    if grant.agent:
        return f"agent {grant.agent}"
    return f"the agents of team {grant.team}" if grant.team else "the agents in its reach"


def _denial(grant: Grant, person: Person) -> str:
    because = f": {grant.reason}" if grant.reason else ""
    return f"grant {grant.id} denies {grant.action} on {_range(grant)} to role {person.role}{because}"


def _yes(rule_id: str, sentence: str) -> Ruling:
    return Ruling(allowed=True, rule_id=rule_id, sentence=sentence)


def _no(rule_id: str, sentence: str) -> Ruling:
    return Ruling(allowed=False, rule_id=rule_id, sentence=sentence)
