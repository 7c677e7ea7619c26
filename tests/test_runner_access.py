"""Access: default deny, deny over allow, and every cell of role × action × reach."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from ingest.workspace import Workspace
from runner.control.access import Target, agent_target, may
from runner.control.declared import Action
from runner.control.registry import Registry
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


SOURCE = (
    "budgets:\n",
    "knowledge:\n"
    "  handbook: {name: Handbook, folder: handbook, sensitivity: internal}\n"
    "  contracts: {name: Contracts, folder: contracts, sensitivity: confidential}\n"
    "budgets:\n",
)
NEEDS_GRANT = (
    'simulated_tools:refund_payment", effect: consequential}',
    'simulated_tools:refund_payment", effect: consequential, needs_grant: true}',
)


def granted(*grants: str) -> tuple[str, str]:
    """The change of the registry that adds these grants."""
    line = "  - {id: leads-run-all, role: platform_lead, action: run_agent}\n"
    return line, line + "".join(f"  - {{{grant}}}\n" for grant in grants)


def asked(declared: Registry, person: str, action: str, agent: str, **what: str) -> tuple[bool, str]:
    """Answer and rule."""
    actions: dict[str, Action] = {one: one for one in get_args(Action)}
    ruling = may(declared, person, actions[action], agent_target(declared, agent, person_id=person, **what))
    return ruling.allowed, ruling.rule_id


def test_a_tool_without_need_of_a_grant_is_used_by_whoever_may_run_the_agent() -> None:
    declared = registry()
    assert asked(declared, "jon-vass", "use_tool", "refund-agent", tool="lookup_order") == (
        True,
        "users-run-refund",
    )
    assert asked(declared, "otto-klein", "use_tool", "refund-agent", tool="lookup_order") == (
        False,
        "scope:team",
    )
    assert asked(declared, "jon-vass", "use_tool", "refund-agent", tool="undeclared") == (
        False,
        "tool:not-declared",
    )


def test_a_tool_that_needs_a_grant_is_used_only_under_one_that_covers_role_tool_and_agent() -> None:
    use = ("jon-vass", "use_tool", "refund-agent")
    nobody = registry(NEEDS_GRANT)
    assert asked(nobody, *use, tool="refund_payment") == (False, "default-deny")
    other_tool = registry(
        NEEDS_GRANT, granted("id: g, role: agent_user, action: use_tool, tool: lookup_order")
    )
    assert asked(other_tool, *use, tool="refund_payment") == (False, "default-deny")
    for covers in ("tool: refund_payment", "agent: refund-agent", "team: support"):
        declared = registry(NEEDS_GRANT, granted(f"id: g, role: agent_user, action: use_tool, {covers}"))
        assert asked(declared, *use, tool="refund_payment") == (True, "g")
    elsewhere = registry(NEEDS_GRANT, granted("id: g, role: agent_user, action: use_tool, team: sales"))
    assert asked(elsewhere, *use, tool="refund_payment") == (False, "default-deny")


def test_a_deny_grant_of_a_tool_wins_whether_or_not_the_tool_needs_one() -> None:
    denied = (
        "id: denied, role: agent_user, action: use_tool, tool: refund_payment, effect: deny, reason: audit"
    )
    allowed = "id: g, role: agent_user, action: use_tool"
    for changes in ((granted(denied),), (NEEDS_GRANT, granted(allowed, denied))):
        declared = registry(*changes)
        ruling = may(
            declared, "jon-vass", "use_tool", agent_target(declared, "refund-agent", tool="refund_payment")
        )
        assert (ruling.allowed, ruling.rule_id) == (False, "denied")
        assert ruling.sentence == "grant denied forbids role agent_user to use tool refund_payment: audit"
        assert asked(declared, "jon-vass", "use_tool", "refund-agent", tool="lookup_order")[0]


def test_knowledge_is_read_only_under_a_grant_and_only_by_who_may_run_the_agent() -> None:
    read = "id: g, role: agent_user, action: read_knowledge, knowledge: handbook"
    declared = registry(SOURCE, granted(read))
    ask = ("jon-vass", "read_knowledge", "triage-agent")
    assert asked(declared, *ask, knowledge="handbook") == (True, "g")
    assert asked(declared, *ask, knowledge="contracts") == (False, "default-deny")
    assert asked(declared, *ask, knowledge="unheard-of") == (False, "knowledge:not-declared")
    assert asked(declared, "eva-sol", "read_knowledge", "triage-agent", knowledge="handbook") == (
        False,
        "scope:own",
    )
    assert asked(registry(SOURCE), "priya-nair", *ask[1:], knowledge="handbook") == (False, "default-deny")


@pytest.mark.parametrize(
    "covers",
    ["agent: refund-agent", "team: support", "tool: refund_payment", "team: support, tool: refund_payment"],
)
def test_the_right_to_decide_is_given_beyond_the_own_team_per_agent_team_or_tool(covers: str) -> None:
    ask = ("otto-klein", "decide_approval", "refund-agent")
    assert asked(registry(), *ask, tool="refund_payment") == (False, "scope:team")
    given = registry(granted(f"id: g, role: team_manager, action: decide_approval, {covers}"))
    assert asked(given, *ask, tool="refund_payment") == (True, "g")
    if "refund_payment" in covers:
        assert asked(given, *ask, tool="lookup_order") == (False, "scope:team")
    taken = registry(
        granted(f"id: denied, role: team_manager, action: decide_approval, {covers}, effect: deny")
    )
    assert asked(taken, "mara-lindt", *ask[1:], tool="refund_payment") == (False, "denied")


def test_no_grant_lifts_the_ceiling_of_a_role() -> None:
    declared = registry(granted("id: g, role: agent_user, action: decide_approval, agent: refund-agent"))
    assert asked(declared, "jon-vass", "decide_approval", "refund-agent", tool="refund_payment") == (
        False,
        "role:agent_user",
    )


def test_the_command_explains_tools_and_knowledge(workspace: Workspace, fleetbook: Command) -> None:
    read = "id: users-read, role: agent_user, action: read_knowledge, knowledge: handbook"
    company(workspace, SOURCE, NEEDS_GRANT, granted(read)).close()
    code, out, _ = fleetbook("may", "jon-vass", "use_tool", "refund-agent", "--tool", "refund_payment")
    assert (code, out) == (
        1,
        "no: no grant lets role agent_user use tool refund_payment (rule default-deny)\n",
    )
    code, out, _ = fleetbook("may", "jon-vass", "read_knowledge", "triage-agent", "--knowledge", "handbook")
    assert (code, out) == (
        0,
        "yes: grant users-read lets role agent_user read knowledge handbook (rule users-read)\n",
    )
    code, _, error = fleetbook("may", "jon-vass", "use_tool", "refund-agent", "--tool", "refund_paymnt")
    assert code == 2
    assert "The nearest one is 'refund_payment'" in error
