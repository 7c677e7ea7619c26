"""The template library: each template runs on the real gates and becomes an agent of registry.yaml."""

from __future__ import annotations

import re

import pytest

from ingest.workspace import Workspace
from runner.control.registry_file import load_registry
from runner.templates.library import library
from tests.runner_company import Command, company, fleetbook

__all__ = ["fleetbook"]

# What a person reads at the end of a trial of each template's own task: the words that show it did its job.
ENDS_WITH = {
    "access-review": "accounts of data-warehouse; revoked 1.",
    "campaign-drafting": "for newsletter is ready:",
    "contract-summary": "Look at clause",
    "expense-check": "2 lines checked, flagged for the manager.",
    "help-center-answers": "Answered ticket T-1042 with article",
    "invoice-matching": "INV-2041 matches its order;",
    "lead-research": "Acme Robotics is now qualified with a note from 3 sources.",
    "quote-with-approval": "USD went to Acme Robotics; valid 30 days.",
    "refund-with-approval": "Refunded 240 USD for order W-2211",
    "support-triage": "Sorted 3 tickets",
    "weekly-report": "is written.",
}
# The tools that move money, bind the company or change access, and so never run without a person.
CONSEQUENTIAL = {
    "access-review": "revoke_access",
    "invoice-matching": "schedule_payment",
    "quote-with-approval": "send_quote",
    "refund-with-approval": "refund_payment",
}


def test_the_library_has_the_templates_this_file_knows() -> None:
    assert set(library()) == set(ENDS_WITH)


@pytest.mark.parametrize("template", sorted(ENDS_WITH))
def test_each_template_does_its_own_task(template: str, fleetbook: Command) -> None:
    code, out, _ = fleetbook("templates", "try", template)
    assert code == 0
    assert ENDS_WITH[template] in out
    called = {use.tool for use in library()[template].defaults.tools}
    assert called == set(re.findall(r"✓ (\w+) succeeded", out))
    assert ("the trial's manager approves" in out) == (template in CONSEQUENTIAL)


@pytest.mark.parametrize("template", sorted(CONSEQUENTIAL))
def test_without_a_yes_nothing_consequential_happens(template: str, fleetbook: Command) -> None:
    code, out, _ = fleetbook("templates", "try", template, "--reject")
    assert code == 0
    assert f"✗ {CONSEQUENTIAL[template]} denied" in out
    assert f"✓ {CONSEQUENTIAL[template]}" not in out


@pytest.mark.parametrize("template", sorted(ENDS_WITH))
def test_a_template_gates_what_is_consequential(template: str) -> None:
    one = library()[template]
    gated = {use.tool for use in one.defaults.tools if use.approval}
    assert {name for name, tool in one.tools.items() if tool.effect == "consequential"} == gated
    assert (one.defaults.risk.risk_class == "high") == bool(gated)


def test_a_trial_of_a_task_of_ones_own(fleetbook: Command) -> None:
    code, out, _ = fleetbook("templates", "try", "refund-with-approval", "Refund order W-404 over 50 USD.")
    assert code == 0
    assert "I could not finish: looking up the order failed" in out


def test_use_declares_a_draft_and_keeps_the_file_as_it_was(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace, ("\ntools:\n", "\n# what agents may call\ntools:\n")).close()
    before = workspace.registry_file.read_text(encoding="utf-8")
    code, out, _ = fleetbook(
        "templates",
        "use",
        "invoice-matching",
        "--agent",
        "invoice-agent",
        "--team",
        "sales",
        "--as",
        "priya-nair",
    )
    assert code == 0
    assert "Agent invoice-agent is a draft" in out
    after = workspace.registry_file.read_text(encoding="utf-8")
    assert "# what agents may call" in after
    assert before.partition("\n")[0] in after
    declared = load_registry(workspace.registry_file)
    agent = declared.agents["invoice-agent"]
    assert (agent.team, agent.owner, agent.author, agent.status) == (
        "sales",
        "otto-klein",
        "priya-nair",
        "draft",
    )
    assert agent.template is not None
    assert (agent.template.id, agent.template.version) == ("invoice-matching", 1)
    assert {budget.wallet_id: str(budget.cap_usd) for budget in declared.budgets}[
        "agent:invoice-agent:month"
    ] == "25.00"
    assert fleetbook("registry", "plan")[1] == "Nothing to change: what the file says is applied.\n"


def test_use_keeps_a_tool_that_the_company_has(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace, ("lookup_order: {function:", "lookup_order: {timeout_s: 7, function:")).close()
    code, _, _ = fleetbook(
        "templates",
        "use",
        "refund-with-approval",
        "--agent",
        "refunds-2",
        "--team",
        "sales",
        "--as",
        "priya-nair",
    )
    assert code == 0
    assert load_registry(workspace.registry_file).tools["lookup_order"].timeout_s == 7


def test_use_says_what_is_in_the_way(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace).close()

    def use(template: str, agent: str, team: str, person: str = "priya-nair") -> tuple[int, str]:
        code, _, error = fleetbook(
            "templates", "use", template, "--agent", agent, "--team", team, "--as", person
        )
        return code, error

    before = workspace.registry_file.read_bytes()
    code, error = use("invoice-matchin", "a", "sales")
    assert (code, "The nearest one is 'invoice-matching'" in error) == (2, True)
    code, error = use("invoice-matching", "a", "sails")
    assert (code, "there is no team 'sails'. The nearest one is 'sales'" in error) == (2, True)
    code, error = use("invoice-matching", "refund-agent", "sales")
    assert "agent 'refund-agent' is declared already" in error
    code, error = use("invoice-matching", "Not An Id", "sales")
    assert (code, "an id has lower-case letters" in error) == (1, True)
    code, error = use("invoice-matching", "a", "sales", "jon-vass")
    assert (code, "may not apply_registry" in error) == (1, True)
    assert workspace.registry_file.read_bytes() == before


def test_a_file_with_changes_that_are_not_applied_is_not_touched(
    workspace: Workspace, fleetbook: Command
) -> None:
    company(workspace).close()
    text = workspace.registry_file.read_text(encoding="utf-8").replace("Sorts tickets.", "Sorts all tickets.")
    workspace.registry_file.write_text(text, encoding="utf-8")
    code, _, error = fleetbook(
        "templates",
        "use",
        "weekly-report",
        "--agent",
        "report-agent",
        "--team",
        "sales",
        "--as",
        "priya-nair",
    )
    assert code == 2
    assert "holds 1 changes that are not applied yet" in error
    assert workspace.registry_file.read_text(encoding="utf-8") == text


def test_a_role_that_may_decide_is_found_where_the_registry_has_other_names(
    workspace: Workspace, fleetbook: Command
) -> None:
    company(workspace, ("team_manager", "head_of")).close()
    code, _, _ = fleetbook(
        "templates",
        "use",
        "quote-with-approval",
        "--agent",
        "quotes",
        "--team",
        "sales",
        "--as",
        "priya-nair",
    )
    assert code == 0
    rule = load_registry(workspace.registry_file).agents["quotes"].tools[2].approval
    assert rule is not None
    assert rule.approver_role == "head_of"
