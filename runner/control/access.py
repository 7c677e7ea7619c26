"""Who may do what: one pure function answers every question with the rule that decided.

A role's ``may`` list is the ceiling and its scope the reach. Running an agent needs a grant besides: nothing
is allowed unless a rule allows it. A deny grant wins over every allow. Tools and knowledge are used within
runs: who may not run the agent uses none of it, a tool that ``needs_grant`` and every knowledge source need a
grant of their own. docs/access.md tells it in words.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.control.declared import BY_GRANT_ONLY, Action
from runner.control.registry import Grant, Person, Registry, Role


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an action is about: an agent, a team, for runs the person whose run it is, a tool or a source."""

    agent_id: str | None = None
    team_id: str | None = None
    person_id: str | None = None
    tool: str | None = None
    knowledge: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The answer: ``rule_id`` names the rule that decided, ``sentence`` says it in words."""

    allowed: bool
    rule_id: str
    sentence: str


WHOLE_COMPANY = Target()


def agent_target(
    registry: Registry,
    agent_id: str,
    *,
    person_id: str | None = None,
    tool: str | None = None,
    knowledge: str | None = None,
) -> Target:
    """The target for ``agent_id``: its team is looked up in ``registry``."""
    agent = registry.agents.get(agent_id)
    return Target(
        agent_id=agent_id,
        team_id=agent.team if agent else None,
        person_id=person_id,
        tool=tool,
        knowledge=knowledge,
    )


def may(registry: Registry, person_id: str, action: Action, target: Target) -> Ruling:
    """Whether ``person_id`` may do ``action`` on ``target``; deny over allow, default deny."""
    person = registry.people.get(person_id)
    if person is None:
        return _no("unknown-person", f"{person_id!r} is not among the people of the registry")
    role = registry.roles[person.role]
    if action not in role.may and action not in BY_GRANT_ONLY:
        return _no(f"role:{person.role}", f"role {person.role} may not {action}")
    grants = [grant for grant in registry.grants if _matches(grant, person, action, target)]
    denials = [grant for grant in grants if grant.effect == "deny"]
    if denials:
        return _no(denials[0].id, _denial(denials[0], person))
    if action in BY_GRANT_ONLY:
        return _within_run(registry, person_id, action, target, grants)
    beyond = [grant for grant in grants if _reaches_beyond(grant)]
    out_of_reach = _out_of_reach(person_id, person, role, action, target)
    if out_of_reach and not beyond:
        return _no(f"scope:{role.scope}", out_of_reach)
    if action == "run_agent":
        return _by_grant(grants, person, f"run {_the_agent(target)}")
    if out_of_reach:
        return _by_grant(beyond, person, "")
    return _yes(f"role:{person.role}", f"role {person.role} may {action}, scope {role.scope}")


def denial(registry: Registry, person_id: str, action: Action, target: Target) -> Ruling | None:
    """The deny grant that forbids ``action``, None when there is none; it wins over every other allowance."""
    person = registry.people.get(person_id)
    if person is None:
        return None
    grants = (grant for grant in registry.grants if _matches(grant, person, action, target))
    found = next((grant for grant in grants if grant.effect == "deny"), None)
    return _no(found.id, _denial(found, person)) if found else None


def _within_run(
    registry: Registry, person_id: str, action: Action, target: Target, grants: list[Grant]
) -> Ruling:
    """A tool or a source: the person may run the agent, and a grant covers it where one is needed."""
    person = registry.people[person_id]
    wish, needs_grant = _wish(registry, action, target)
    if needs_grant is None:
        return _no(f"{wish}:not-declared", f"{wish} {target.tool or target.knowledge} is not in the registry")
    run = None
    if target.agent_id is not None:
        run = may(registry, person_id, "run_agent", Target(agent_id=target.agent_id, team_id=target.team_id))
        if not run.allowed:
            return run
    if needs_grant:
        verb = "use" if action == "use_tool" else "read"
        return _by_grant(grants, person, f"{verb} {wish} {target.tool or target.knowledge or ''}".rstrip())
    if run is None:
        return _yes(
            "no-grant-needed", f"tool {target.tool} is for everybody who may run an agent that has it"
        )
    return _yes(run.rule_id, f"tool {target.tool} needs no grant of its own, and {run.sentence}")


def _wish(registry: Registry, action: Action, target: Target) -> tuple[str, bool | None]:
    """Whether it is a tool or a source, and whether it needs a grant; None when it is not declared.

    A question about no tool or source in particular is one about all of them, so it needs a grant.
    """
    if action == "read_knowledge":
        known = target.knowledge is None or target.knowledge in registry.knowledge
        return "knowledge", True if known else None
    if target.tool is None:
        return "tool", True
    tool = registry.tools.get(target.tool)
    return "tool", tool.needs_grant if tool else None


def _by_grant(grants: list[Grant], person: Person, wish: str) -> Ruling:
    if not grants:
        return _no("default-deny", f"no grant lets role {person.role} {wish}")
    grant = grants[0]
    return _yes(grant.id, f"grant {grant.id} lets role {person.role} {_range(grant)}")


def _matches(grant: Grant, person: Person, action: Action, target: Target) -> bool:
    return (
        grant.role == person.role
        and grant.action == action
        and (grant.agent is None or grant.agent == target.agent_id)
        and (grant.team is None or grant.team == target.team_id)
        and (grant.tool is None or grant.tool == target.tool)
        and (grant.knowledge is None or grant.knowledge == target.knowledge)
    )


def _reaches_beyond(grant: Grant) -> bool:
    """Whether the grant carries further than the scope of its role.

    It does when it names the agent. A grant of decide_approval does by naming a team or a tool, too: within
    the scope it would say nothing that the role does not say.
    """
    return grant.agent is not None or (
        grant.action == "decide_approval" and (grant.team is not None or grant.tool is not None)
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


def _the_agent(target: Target) -> str:
    return f"agent {target.agent_id}" if target.agent_id else "an agent"


def _range(grant: Grant) -> str:
    """What a grant is about, as a verb with its object."""
    where = (
        f"agent {grant.agent}" if grant.agent else f"the agents of team {grant.team}" if grant.team else ""
    )
    if grant.action == "run_agent":
        return f"run {where or 'the agents in its reach'}"
    if grant.action in BY_GRANT_ONLY:
        verb, noun = ("use", "tool") if grant.action == "use_tool" else ("read", "knowledge")
        what = grant.tool or grant.knowledge
        return f"{verb} {f'{noun} {what}' if what else f'every {noun}'}{f' in {where}' if where else ''}"
    what = f" of tool {grant.tool}" if grant.tool else ""
    return f"{grant.action}{what} on {where or 'everything in its reach'}"


def _denial(grant: Grant, person: Person) -> str:
    because = f": {grant.reason}" if grant.reason else ""
    return f"grant {grant.id} forbids role {person.role} to {_range(grant)}{because}"


def _yes(rule_id: str, sentence: str) -> Ruling:
    return Ruling(allowed=True, rule_id=rule_id, sentence=sentence)


def _no(rule_id: str, sentence: str) -> Ruling:
    return Ruling(allowed=False, rule_id=rule_id, sentence=sentence)
