"""Admission: whether a run may start, as pure rules. The first rule that says no decides."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from runner.control.access import agent_target, may
from runner.control.registry import Registry
from runner.control.versions import Frozen, ungated_tools

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
    """Decided state of an agent: status, since when and why, and its current version."""

    agent_id: str
    team_id: str
    agent_version: int
    status: str
    status_reason: str
    decided_at: dt.datetime


def refusal(
    registry: Registry, state: AgentState, frozen: Frozen, person_id: str, now: dt.datetime
) -> Stop | None:
    """The rule that keeps ``person_id`` from starting this agent now, or None; wallets are asked apart."""
    return (
        _by_status(state)
        or _by_registry(registry, state)
        or _by_access(registry, state, person_id)
        or _by_risk(frozen, now)
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
    if state.agent_id in registry.agents:
        return None
    return Stop(
        rule="not-declared",
        reason=f"agent {state.agent_id} is no longer in registry.yaml",
        advice="Declare it again and run `fleetbook registry apply`.",
    )


def _by_access(registry: Registry, state: AgentState, person_id: str) -> Stop | None:
    ruling = may(registry, person_id, "run_agent", agent_target(registry, state.agent_id))
    if ruling.allowed:
        return None
    role = registry.people[person_id].role
    owner = registry.people[registry.agents[state.agent_id].owner].name
    if ruling.rule_id == f"role:{role}":
        advice = f"Ask somebody whose role may run agents, or a platform lead to change roles.{role}.may."
    elif ruling.rule_id.startswith("scope:"):
        advice = f"Ask {owner} (owner) or a platform lead for a grant to role {role} that names the agent."
    else:
        advice = f"Ask {owner} (owner) or a platform lead for a grant of run_agent to role {role}."
    return Stop(rule=ruling.rule_id, reason=ruling.sentence, advice=advice)


def _by_risk(frozen: Frozen, now: dt.datetime) -> Stop | None:
    if frozen.risk.risk_class != "high":
        return None
    open_tools = ungated_tools(frozen)
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
