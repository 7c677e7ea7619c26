"""Admission: whether a run may start, as pure rules. The first rule that says no decides."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from runner.control.access import agent_target, may
from runner.control.registry import Registry
from runner.control.versions import Frozen, freeze, ungated_tools

STARTABLE = ("live", "watch")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A no: the rule, why, and what to do now."""

    rule: str
    reason: str
    advice: str
    wallet_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AgentState:
    """Decided state of an agent: status, since when and why, and its version in force.

    ``is_approved`` is false only for a first version that a second person has yet to approve.
    """

    agent_id: str
    team_id: str
    agent_version: int
    status: str
    status_reason: str
    decided_at: dt.datetime
    is_approved: bool = True


def refusal(
    registry: Registry, state: AgentState, frozen: Frozen, person_id: str, now: dt.datetime
) -> Stop | None:
    """The rule that keeps ``person_id`` from starting this agent now, or None; wallets are asked apart."""
    return (
        _by_approval(state)
        or _by_status(state)
        or _by_registry(registry, state)
        or _by_access(registry, state, person_id)
        or _by_risk(registry, frozen, now)
    )


def _by_approval(state: AgentState) -> Stop | None:
    if state.is_approved or state.status not in (*STARTABLE, "review"):
        return None
    return Stop(
        rule="version:not-approved",
        reason=f"version {state.agent_version} of {state.agent_id} waits for a second person's approval",
        advice=f"Somebody who neither wrote nor applied it runs "
        f"`fleetbook agents approve-version {state.agent_id} --as <person>`.",
    )


def _by_status(state: AgentState) -> Stop | None:
    if state.status in STARTABLE:
        return None
    since = state.decided_at.date().isoformat()
    because = f": {state.status_reason}" if state.status_reason else ""
    return Stop(
        rule=f"status:{state.status}",
        reason=f"agent {state.agent_id} is {state.status} since {since}{because}",
        advice="Only a live agent runs. Ask its owner or a platform lead for a decision.",
    )


def _by_registry(registry: Registry, state: AgentState) -> Stop | None:
    agent = registry.agents.get(state.agent_id)
    if agent is None:
        return Stop(
            rule="not-declared",
            reason=f"agent {state.agent_id} is no longer in registry.yaml",
            advice="Declare it again and run `fleetbook registry apply`.",
        )
    if agent.owner is None:
        return Stop(
            rule="no-owner",
            reason=f"nobody answers for agent {state.agent_id} since its owner left",
            advice=f"Name one: `fleetbook agents owner {state.agent_id} <person> --as <person>`.",
        )
    return None


def _by_access(registry: Registry, state: AgentState, person_id: str) -> Stop | None:
    ruling = may(registry, person_id, "run_agent", agent_target(registry, state.agent_id))
    if ruling.allowed:
        return None
    person = registry.people.get(person_id)
    if person is None:
        advice = "People are declared under people in registry.yaml; who left may nothing."
        return Stop(rule=ruling.rule_id, reason=ruling.sentence, advice=advice)
    role = person.role
    owner_id = registry.agents[state.agent_id].owner
    owner = registry.people[owner_id].name if owner_id else "the team's manager"
    if ruling.rule_id == f"role:{role}":
        advice = f"Ask somebody whose role may run agents, or a platform lead to change roles.{role}.may."
    elif ruling.rule_id.startswith("scope:"):
        advice = f"Ask {owner} (owner) or a platform lead for a grant to role {role} that names the agent."
    else:
        advice = f"Ask {owner} (owner) or a platform lead for a grant of run_agent to role {role}."
    return Stop(rule=ruling.rule_id, reason=ruling.sentence, advice=advice)


def _by_risk(registry: Registry, frozen: Frozen, now: dt.datetime) -> Stop | None:
    if frozen.risk.risk_class != "high":
        return None
    open_tools = [*ungated_tools(frozen), *_ungated_by_delegates(registry, frozen)]
    if open_tools:
        return Stop(
            rule="risk:no-approval-rule",
            reason=f"a high-risk agent needs an approval rule on {', '.join(open_tools)}",
            advice="Add an approval block to the tool in registry.yaml and run `fleetbook registry apply`.",
        )
    review_by = frozen.risk.review_by
    if review_by is not None and review_by < now.date():
        return Stop(
            rule="risk:review-overdue",
            reason=f"the risk assessment was due on {review_by.isoformat()}",
            advice="Assess the risk again and set risk.review_by in registry.yaml.",
        )
    return None


def _ungated_by_delegates(registry: Registry, frozen: Frozen) -> list[str]:
    """What a high-risk agent could do through others, as ``agent.tool``: their gates count as its own."""
    found: list[str] = []
    asked, waiting = set[str](), list(frozen.delegates)
    while waiting:
        agent_id = waiting.pop()
        agent = registry.agents.get(agent_id)
        if agent is None or agent_id in asked:
            continue
        asked.add(agent_id)
        found += [f"{agent_id}.{tool}" for tool in ungated_tools(freeze(registry, agent))]
        waiting += agent.delegates
    return sorted(found)
