"""References within registry.yaml: every name must lead somewhere, and no id stands twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from runner.control.declared import nearest
from runner.control.registry import Agent, Registry

Path: TypeAlias = tuple[str | int, ...]


class Broken(NamedTuple):
    """A reference that leads nowhere: where it stands and what is wrong."""

    path: Path
    text: str


def _missing(path: Path, kind: str, name: str | None, known: Mapping[str, object]) -> Iterator[Broken]:
    if name is None or name in known:
        return
    close = nearest(name, known)
    hint = f"; nearest: {close!r}" if close else f"; declare it under {kind}"
    yield Broken(path, f"{name!r} is not among {kind}{hint}")


def _twice(path: Path, noun: str, names: list[str]) -> Iterator[Broken]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Broken((*path, index), f"{noun} {name!r} is declared twice")


def _agent_references(registry: Registry, agent_id: str, agent: Agent) -> Iterator[Broken]:
    here: Path = ("agents", agent_id)
    yield from _missing((*here, "team"), "teams", agent.team, registry.teams)
    for key in ("owner", "deputy"):
        yield from _missing((*here, key), "people", getattr(agent, key), registry.people)
    # Who wrote or assessed a version has done so for good, even after leaving.
    ever = {**registry.people, **registry.former_people}
    yield from _missing((*here, "author"), "people", agent.author, ever)
    yield from _missing((*here, "risk", "assessor"), "people", agent.risk.assessor, ever)
    if agent.template:
        yield from _missing((*here, "template", "id"), "templates", agent.template.id, registry.templates)
    for index, use in enumerate(agent.tools):
        yield from _missing((*here, "tools", index, "tool"), "tools", use.tool, registry.tools)
        if use.approval:
            place: Path = (*here, "tools", index, "approval", "approver_role")
            yield from _missing(place, "roles", use.approval.approver_role, registry.roles)
            yield from _approver_may(registry, place, use.approval.approver_role)
    for key, known in (("knowledge", registry.knowledge), ("delegates", registry.agents)):
        for index, name in enumerate(getattr(agent, key)):
            yield from _missing((*here, key, index), "agents" if key == "delegates" else key, name, known)
    yield from _twice((*here, "tools"), "tool", [use.tool for use in agent.tools])


def _approver_may(registry: Registry, place: Path, role_id: str) -> Iterator[Broken]:
    role = registry.roles.get(role_id)
    if role and "decide_approval" not in role.may:
        yield Broken(
            place, f"role {role_id!r} may not decide_approval, so nobody could decide; add it to its may list"
        )


def broken_references(registry: Registry) -> list[Broken]:
    """Every name in ``registry`` that leads nowhere, and every id that is declared twice."""
    found: list[Broken] = []
    for team_id, team in registry.teams.items():
        found += _missing(("teams", team_id, "manager"), "people", team.manager, registry.people)
    for person_id, person in registry.people.items():
        found += _missing(("people", person_id, "team"), "teams", person.team, registry.teams)
        found += _missing(("people", person_id, "role"), "roles", person.role, registry.roles)
        if person_id in registry.former_people:
            found.append(Broken(("former_people", person_id), f"{person_id!r} is among people as well"))
    for agent_id, agent in registry.agents.items():
        found += _agent_references(registry, agent_id, agent)
    for index, grant in enumerate(registry.grants):
        found += _missing(("grants", index, "role"), "roles", grant.role, registry.roles)
        found += _missing(("grants", index, "team"), "teams", grant.team, registry.teams)
        found += _missing(("grants", index, "agent"), "agents", grant.agent, registry.agents)
        found += _missing(("grants", index, "tool"), "tools", grant.tool, registry.tools)
        found += _missing(("grants", index, "knowledge"), "knowledge", grant.knowledge, registry.knowledge)
    for index, budget in enumerate(registry.budgets):
        kind, _, owner = budget.wallet.partition(":")
        known: Mapping[str, object] = registry.teams if kind == "team" else registry.agents
        found += _missing(("budgets", index, "wallet"), "teams" if kind == "team" else "agents", owner, known)
    for index, alias in enumerate(registry.aliases):
        found += _missing(("aliases", index, "team"), "teams", alias.team, registry.teams)
    found += _around_agents(registry)
    found += _sign_ins(registry)
    found += _twice(("grants",), "grant", [grant.id for grant in registry.grants])
    found += _twice(("budgets",), "wallet", [budget.wallet_id for budget in registry.budgets])
    return found


def _sign_ins(registry: Registry) -> Iterator[Broken]:
    """A sign-in names one person: no subject and no address (in whatever case) stands twice."""
    for key in ("email", "subject"):
        seen: dict[str, str] = {}
        for person_id, person in registry.people.items():
            told = getattr(person, key)
            if told is None:
                continue
            word = told.casefold() if key == "email" else told
            if word in seen:
                yield Broken(("people", person_id, key), f"{told!r} is also the {key} of {seen[word]!r}")
            seen[word] = person_id


def _around_agents(registry: Registry) -> Iterator[Broken]:
    for name, tool in registry.tools.items():
        if tool.mcp is not None:
            server = tool.mcp.partition("/")[0]
            yield from _missing(("tools", name, "mcp"), "mcp_servers", server, registry.mcp_servers)
    for name, source in registry.knowledge.items():
        yield from _missing(("knowledge", name, "owner"), "people", source.owner, registry.people)
    for name, schedule in registry.schedules.items():
        yield from _missing(("schedules", name, "agent"), "agents", schedule.agent, registry.agents)
        # A stopped schedule still says as whom it ran.
        able = {**registry.people, **(registry.former_people if schedule.paused else {})}
        yield from _missing(("schedules", name, "run_as"), "people", schedule.run_as, able)
    for index, notice in enumerate(registry.notifications):
        yield from _missing(("notifications", index, "team"), "teams", notice.team, registry.teams)
    places = [notice.id for notice in registry.notifications]
    yield from _twice(("notifications",), "notification", places)
    for index, alert in enumerate(registry.alerts):
        here: Path = ("alerts", index)
        yield from _missing((*here, "team"), "teams", alert.team, registry.teams)
        yield from _missing((*here, "agent"), "agents", alert.agent, registry.agents)
        for place in alert.notify:
            yield from _missing((*here, "notify"), "notifications", place, dict.fromkeys(places))
    yield from _twice(("alerts",), "alert", [alert.id for alert in registry.alerts])
    for part, owner in registry.oversight.ai_act.owners.items():
        yield from _missing(("oversight", "ai_act", "owners", part), "people", owner, registry.people)
