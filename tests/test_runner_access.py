"""Access: default deny, deny over allow, and every cell of role × action × reach."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from ingest.workspace import Workspace
from runner.control.access import Target, agent_target, may
from runner.control.declared import Action
from tests.runner_company import Command, company, fleetbook, registry

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]

# What each person of the company may do on: an own run in the own team, another's run there, another team.
# l: platform lead, m: team manager, u: agent user, a: analyst. By hand, from the roles of REGISTRY.
ALLOWED = {
    "view_metrics": {"l": (1, 1, 1), "m": (1, 1, 0), "u": (1, 0, 0), "a": (1, 1, 1)},
    "read_payload": {"l": (1, 1, 1), "m": (1, 1, 0), "u": (0, 0, 0), "a": (0, 0, 0)},
    "export_data": {"l": (1, 1, 1), "m": (1, 1, 0), "u": (0, 0, 0), "a": (1, 1, 1)},
    "decide_approval": {"l": (1, 1, 1), "m": (1, 1, 0), "u": (0, 0, 0), "a": (0, 0, 0)},
    "apply_registry": {"l": (1, 1, 1), "m": (0, 0, 0), "u": (0, 0, 0), "a": (0, 0, 0)},
    "change_budget": {"l": (0, 0, 0), "m": (0, 0, 0), "u": (0, 0, 0), "a": (0, 0, 0)},
    "build_warehouse": {"l": (0, 0, 0), "m": (0, 0, 0), "u": (0, 0, 0), "a": (0, 0, 0)},
    "sign_report": {"l": (0, 0, 0), "m": (0, 0, 0), "u": (0, 0, 0), "a": (0, 0, 0)},
}
# Nobody in this registry may do these at all.
for _action in get_args(Action)[get_args(Action).index("use_tool") :]:
    ALLOWED[_action] = {who: (0, 0, 0) for who in "lmua"}
PEOPLE = {"l": "priya-nair", "m": "mara-lindt", "u": "jon-vass", "a": "li-chen"}


@pytest.mark.parametrize(("action", "who"), list(itertools.product(ALLOWED, PEOPLE)))
def test_every_cell_of_the_matrix(action: Action, who: str) -> None:
    person = PEOPLE[who]
    targets = (
        Target(agent_id="refund-agent", team_id="support", person_id=person),
        Target(agent_id="refund-agent", team_id="support", person_id="somebody-else"),
        Target(agent_id="quote-agent", team_id="sales", person_id="somebody-else"),
    )
    answers = tuple(int(may(registry(), person, action, target).allowed) for target in targets)
    assert answers == ALLOWED[action][who]


def test_the_matrix_covers_every_action_but_running() -> None:
    assert {*ALLOWED, "run_agent"} == set(get_args(Action))


@pytest.mark.parametrize(
    ("person", "agent", "allowed", "rule"),
    [
        ("priya-nair", "refund-agent", True, "leads-run-all"),
        ("mara-lindt", "triage-agent", True, "managers-run-their-team"),
        ("otto-klein", "triage-agent", False, "scope:team"),
        ("jon-vass", "triage-agent", True, "users-run-support"),
        ("eva-sol", "triage-agent", False, "scope:own"),
        ("eva-sol", "refund-agent", True, "users-run-refund"),  # the grant names the agent
        ("li-chen", "refund-agent", False, "role:analyst"),
        ("nobody", "refund-agent", False, "unknown-person"),
    ],
)
def test_running_an_agent_needs_a_grant(person: str, agent: str, allowed: bool, rule: str) -> None:
    declared = registry()
    ruling = may(declared, person, "run_agent", agent_target(declared, agent))
    assert (ruling.allowed, ruling.rule_id) == (allowed, rule)


def test_without_any_grant_nobody_runs_anything() -> None:
    text = ("role: platform_lead, action: run_agent}", "role: platform_lead, action: view_metrics}")
    declared = registry(text)
    ruling = may(declared, "priya-nair", "run_agent", agent_target(declared, "refund-agent"))
    assert (ruling.allowed, ruling.rule_id) == (False, "default-deny")


def test_a_deny_grant_wins_over_every_allow() -> None:
    denial = (
        "\n  - {id: no-refunds, role: platform_lead, action: run_agent, agent: refund-agent, effect: deny}"
    )
    line = "  - {id: leads-run-all, role: platform_lead, action: run_agent}"
    declared = registry((line, line + denial))
    assert may(declared, "priya-nair", "run_agent", agent_target(declared, "refund-agent")).rule_id == (
        "no-refunds"
    )
    assert may(declared, "priya-nair", "run_agent", agent_target(declared, "triage-agent")).allowed


def test_a_changed_role_reaches_everybody_who_holds_it(workspace: Workspace) -> None:
    control = company(workspace)
    target = Target(team_id="support", person_id="jon-vass")
    assert control.may("jon-vass", "view_metrics", target).allowed
    control.apply(
        registry(("agent_user: {scope: own, may: [run_agent, view_metrics]}", "agent_user: {scope: own}"))
    )
    assert not control.may("jon-vass", "view_metrics", target).allowed
    assert not control.may("eva-sol", "run_agent", Target(agent_id="refund-agent", team_id="support")).allowed
    control.close()


def test_the_command_explains_with_the_rule(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace).close()
    assert fleetbook("may", "jon-vass", "run_agent", "triage-agent") == (
        0,
        "yes: grant users-run-support lets role agent_user run the agents of team support "
        "(rule users-run-support)\n",
        "",
    )
    code, out, _ = fleetbook("may", "otto-klein", "run_agent", "triage-agent")
    assert code == 1
    assert out.startswith(
        "no: role team_manager reaches team sales only, and this is team support (rule scope:team)"
    )
    code, _, error = fleetbook("may", "jon-vass", "run_agnt")
    assert code == 2
    assert "The nearest one is 'run_agent'" in error
    code, _, error = fleetbook("may", "jon-vass", "run_agent", "triage")
    assert code == 2
    assert "there is no agent 'triage'" in error
