"""Every cell of action × role × scope × reach, against a table written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from runner.control.access import Target, may
from runner.control.declared import Action, Scope
from runner.control.registry import Grant, Person, Registry
from runner.control.registry_file import parse_registry
from runner.control.starter import STARTER

ROLES = ("platform_lead", "team_manager", "agent_user", "analyst", "auditor", "compliance_officer")
SCOPES: tuple[Scope, ...] = ("own", "team", "all")

# One line per action and role of the starter registry. The three groups are the scopes own, team, all; the
# three digits of a group are the reaches: an own run in the own team, a colleague's there, another team's.
# Running, using a tool and reading knowledge are about one's own run to come, whoever else runs the agent.
TABLE = """
run_agent        platform_lead       110 110 111
run_agent        team_manager        110 110 111
run_agent        agent_user          110 110 111
run_agent        analyst             000 000 000
run_agent        auditor             000 000 000
run_agent        compliance_officer  000 000 000
decide_approval  platform_lead       100 110 111
decide_approval  team_manager        100 110 111
decide_approval  agent_user          000 000 000
decide_approval  analyst             000 000 000
decide_approval  auditor             000 000 000
decide_approval  compliance_officer  000 000 000
view_metrics     platform_lead       100 110 111
view_metrics     team_manager        100 110 111
view_metrics     agent_user          100 110 111
view_metrics     analyst             100 110 111
view_metrics     auditor             100 110 111
view_metrics     compliance_officer  100 110 111
read_payload     platform_lead       100 110 111
read_payload     team_manager        100 110 111
read_payload     agent_user          000 000 000
read_payload     analyst             000 000 000
read_payload     auditor             000 000 000
read_payload     compliance_officer  100 110 111
export_data      platform_lead       100 110 111
export_data      team_manager        100 110 111
export_data      agent_user          000 000 000
export_data      analyst             100 110 111
export_data      auditor             100 110 111
export_data      compliance_officer  100 110 111
apply_registry   platform_lead       100 110 111
apply_registry   team_manager        000 000 000
apply_registry   agent_user          000 000 000
apply_registry   analyst             000 000 000
apply_registry   auditor             000 000 000
apply_registry   compliance_officer  000 000 000
change_budget    platform_lead       100 110 111
change_budget    team_manager        000 000 000
change_budget    agent_user          000 000 000
change_budget    analyst             000 000 000
change_budget    auditor             000 000 000
change_budget    compliance_officer  000 000 000
build_warehouse  platform_lead       100 110 111
build_warehouse  team_manager        000 000 000
build_warehouse  agent_user          000 000 000
build_warehouse  analyst             000 000 000
build_warehouse  auditor             000 000 000
build_warehouse  compliance_officer  000 000 000
sign_report      platform_lead       000 000 000
sign_report      team_manager        000 000 000
sign_report      agent_user          000 000 000
sign_report      analyst             000 000 000
sign_report      auditor             000 000 000
sign_report      compliance_officer  100 110 111
use_tool         platform_lead       110 110 111
use_tool         team_manager        110 110 111
use_tool         agent_user          000 000 000
use_tool         analyst             000 000 000
use_tool         auditor             000 000 000
use_tool         compliance_officer  000 000 000
read_knowledge   platform_lead       110 110 111
read_knowledge   team_manager        000 000 000
read_knowledge   agent_user          110 110 111
read_knowledge   analyst             000 000 000
read_knowledge   auditor             000 000 000
read_knowledge   compliance_officer  000 000 000
approve_version  platform_lead       100 110 111
approve_version  team_manager        100 110 111
approve_version  agent_user          000 000 000
approve_version  analyst             000 000 000
approve_version  auditor             000 000 000
approve_version  compliance_officer  000 000 000
stop_run         platform_lead       100 110 111
stop_run         team_manager        100 110 111
stop_run         agent_user          000 000 000
stop_run         analyst             000 000 000
stop_run         auditor             000 000 000
stop_run         compliance_officer  000 000 000
change_agents    platform_lead       100 110 111
change_agents    team_manager        000 000 000
change_agents    agent_user          000 000 000
change_agents    analyst             000 000 000
change_agents    auditor             000 000 000
change_agents    compliance_officer  000 000 000
change_people    platform_lead       100 110 111
change_people    team_manager        000 000 000
change_people    agent_user          000 000 000
change_people    analyst             000 000 000
change_people    auditor             000 000 000
change_people    compliance_officer  000 000 000
change_schedules platform_lead       100 110 111
change_schedules team_manager        100 110 111
change_schedules agent_user          000 000 000
change_schedules analyst             000 000 000
change_schedules auditor             000 000 000
change_schedules compliance_officer  000 000 000
"""

# The tool needs a grant, and no grant names an agent or a team: the reach alone decides.
GRANTS = (
    *(
        Grant(id=f"{role}-runs", role=role, action="run_agent")
        for role in ("platform_lead", "team_manager", "agent_user")
    ),
    Grant(id="leads-pay", role="platform_lead", action="use_tool", tool="refund_payment"),
    Grant(id="managers-use", role="team_manager", action="use_tool"),
    Grant(id="analysts-use", role="analyst", action="use_tool"),  # who runs nothing uses nothing
    Grant(id="leads-read", role="platform_lead", action="read_knowledge"),
    Grant(id="users-read", role="agent_user", action="read_knowledge", knowledge="handbook"),
)
SOURCE = """
knowledge:
  handbook: {name: Handbook, folder: handbook, sensitivity: internal}
  contracts: {name: Contracts, folder: contracts, sensitivity: confidential}
"""


def company(scope: Scope) -> Registry:
    """The starter registry with one person per role, all in team support and with ``scope``."""
    starter = parse_registry(STARTER + SOURCE, Path("registry.yaml"))
    tools = {name: tool.model_copy(update={"needs_grant": True}) for name, tool in starter.tools.items()}
    return starter.model_copy(
        update={
            "people": {role: Person(name=role, team="support", role=role) for role in ROLES},
            "roles": {name: role.model_copy(update={"scope": scope}) for name, role in starter.roles.items()},
            "tools": tools,
            "grants": GRANTS,
        }
    )


def target(action: Action, person_id: str, reach: int) -> Target:
    """The target of one digit of the table."""
    team_id, agent_id = ("platform", "report-agent") if reach == 2 else ("support", "triage-agent")
    return Target(
        agent_id=agent_id,
        team_id=team_id,
        person_id=person_id if reach == 0 else "somebody-else",
        tool="refund_payment" if action in ("use_tool", "decide_approval") else None,
        knowledge="handbook" if action == "read_knowledge" else None,
    )


def rows() -> dict[tuple[Action, str], list[str]]:
    """The table by action and role."""
    found: dict[tuple[Action, str], list[str]] = {}
    actions: dict[str, Action] = {action: action for action in get_args(Action)}
    for line in TABLE.strip().splitlines():
        action, role, *groups = line.split()
        found[actions[action], role] = groups
    return found


@pytest.mark.parametrize("scope", SCOPES)
def test_every_cell_of_the_matrix(scope: Scope) -> None:
    declared = company(scope)
    wrong = []
    for (action, role), groups in rows().items():
        cells = [may(declared, role, action, target(action, role, reach)).allowed for reach in range(3)]
        answer = "".join(str(int(cell)) for cell in cells)
        if answer != groups[SCOPES.index(scope)]:
            wrong.append((action, role, scope, answer, groups[SCOPES.index(scope)]))
    assert not wrong


def test_the_table_has_every_action_and_role_of_the_starter() -> None:
    starter = parse_registry(STARTER, Path("registry.yaml"))
    assert set(rows()) == {(action, role) for action in get_args(Action) for role in starter.roles}
    assert set(starter.roles) == set(ROLES)


def test_who_is_not_among_the_people_may_nothing() -> None:
    declared = company("all")
    for action in get_args(Action):
        ruling = may(declared, "gone", action, target(action, "gone", 0))
        assert (ruling.allowed, ruling.rule_id) == (False, "unknown-person")


@pytest.mark.parametrize("action", get_args(Action))
def test_a_deny_grant_wins_in_every_row(action: Action) -> None:
    declared = company("all")
    denied = declared.model_copy(
        update={
            "grants": (
                *GRANTS,
                *(Grant(id=f"no-{role}", role=role, action=action, effect="deny") for role in ROLES),
            )
        }
    )
    allowed = [role for (one, role), groups in rows().items() if one == action and "1" in groups[2]]
    for role in allowed:
        ruling = may(denied, role, action, target(action, role, 0))
        assert (ruling.allowed, ruling.rule_id) == (False, f"no-{role}")
