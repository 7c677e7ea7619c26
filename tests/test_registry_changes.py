"""Agents and schedules changed by command: the file stays the truth, comments stay, each change is told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ingest.workspace import Workspace
from runner.control import agent_changes
from runner.control.plane import Control
from runner.control.registry_extras import Schedule
from runner.control.registry_file import load_registry
from runner.control.schedule_changes import add_schedule
from runner.errors import AccessRefused, RegistryInvalid, RunRefused
from tests.registry_log import told
from tests.runner_company import Command, company, fleetbook, registry_text

__all__ = ["fleetbook"]

RIGHTS = (
    (
        "export_data, apply_registry]",
        "export_data, apply_registry, change_people, change_agents, change_schedules]",
    ),
    ("read_payload, export_data]}", "read_payload, export_data, change_schedules]}"),
)
LEAD = ("--as", "priya-nair")
NEW_AGENT = """\
name: Order helper
team: sales
owner: otto-klein
purpose: Answers what became of an order.
risk: {class: minimal}
model: sim:refund
instructions: You look orders up.
tools: [{tool: lookup_order}]
status: live
"""


def rights(workspace: Workspace, *changes: tuple[str, str]) -> Control:
    """A company whose leads may change agents and schedules, and whose managers may change schedules."""
    return company(workspace, *RIGHTS, *changes)


def test_an_agent_is_added_changed_handed_over_attested_decided_and_removed(
    workspace: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    rights(workspace).close()
    file = tmp_path / "order-helper.yaml"
    file.write_text(NEW_AGENT, encoding="utf-8")
    code, out, _ = fleetbook("agents", "add", "order-helper", "--file", str(file), *LEAD)
    assert (code, out) == (0, "+ agent order-helper\n")
    code, out, _ = fleetbook(
        "agents", "set", "order-helper", "max_output_tokens=300", "risk.reasons=[asked_often]", *LEAD
    )
    assert code == 0
    assert "    max_output_tokens: 300\n    risk.reasons: asked_often\n" in out
    words = ("agents", "owner", "order-helper", "eva-sol", "--deputy", "otto-klein")
    assert fleetbook(*words, "--as", "jon-vass")[0] == 1
    assert fleetbook(*words, "--as", "otto-klein")[0] == 0  # its owner may
    assert (
        fleetbook("agents", "attest", "order-helper", "--as", "eva-sol", "--reason", "as described")[0] == 0
    )
    assert fleetbook("agents", "attest", "order-helper", "--as", "jon-vass")[0] == 1
    words = ("agents", "status", "order-helper", "suspended", "--reason", "summer break")
    assert fleetbook(*words, "--as", "eva-sol")[0] == 0
    code, out, _ = fleetbook("agents", "remove", "order-helper", *LEAD, "--reason", "replaced")
    assert (code, out.splitlines()[0]) == (0, "- agent order-helper")
    assert "order-helper" not in load_registry(workspace.registry_file).agents
    assert Counter(
        str(event["event_type"]) for event in told(workspace) if event.get("agent_id") == "order-helper"
    ) == {
        "agent_version_declared": 2,
        "tool_rule_set": 2,
        "status_changed": 2,
        "owner_changed": 1,
        "attested": 1,
        "action_refused": 2,
    }


def test_a_change_keeps_the_comments_of_the_file_and_applying_it_again_changes_nothing(
    workspace: Workspace, fleetbook: Command
) -> None:
    rights(workspace, ("budgets:\n", "# Reviewed each quarter.\nbudgets:\n")).close()
    assert fleetbook("agents", "set", "triage-agent", "instructions=Oldest first.", *LEAD)[0] == 0
    text = workspace.registry_file.read_text(encoding="utf-8")
    assert "# Reviewed each quarter.\n" in text
    assert "    instructions: Oldest first.\n" in text
    assert fleetbook("registry", "apply")[1] == "Nothing to change: what the file says is applied.\n"


def test_what_has_a_command_of_its_own_or_makes_no_sense_is_not_set(
    workspace: Workspace, fleetbook: Command
) -> None:
    rights(workspace).close()
    before = workspace.registry_file.read_text(encoding="utf-8")
    for words, code, said in (
        (("status=live",), 2, "`fleetbook agents status` decides it"),
        (("owner=jon-vass",), 2, "`fleetbook agents owner` hands it over"),
        (("model",), 2, "is not KEY=VALUE"),
        (("purpos=Sorts",), 1, "the nearest valid key is 'purpose'"),
        (("tools=[{tool: refund}]",), 1, "'refund' is not among tools"),
    ):
        end, _, error = fleetbook("agents", "set", "triage-agent", *words, *LEAD)
        assert (end, said in error) == (code, True), error
    assert workspace.registry_file.read_text(encoding="utf-8") == before
    code, _, error = fleetbook("agents", "set", "triage-agent", "model=sim:x", "--as", "mara-lindt")
    assert code == 1
    assert "role team_manager may not change_agents" in error


def test_an_agent_that_others_delegate_to_is_not_removed(workspace: Workspace) -> None:
    tools = "tools: [{tool: search_tickets}"
    delegating = (tools, f"delegates: [refund-agent]\n    {tools}")
    with rights(workspace, delegating) as control:
        with pytest.raises(RegistryInvalid, match="'refund-agent' is not among agents"):
            agent_changes.remove_agent(control, "refund-agent", by="priya-nair")
        assert control.plan(load_registry(workspace.registry_file)).is_empty
        agent_changes.remove_agent(control, "triage-agent", by="priya-nair")
        agent_changes.remove_agent(control, "refund-agent", by="priya-nair")
        after = control.registry()
        assert [budget.wallet for budget in after.budgets] == ["team:support"]
        assert "users-run-refund" not in [grant.id for grant in after.grants]
        with pytest.raises(RunRefused) as refused:
            control.request_run("refund-agent", "Refund order W-2208, 60 USD", "jon-vass")
        assert refused.value.rule == "not-declared"


def test_the_card_says_everything_that_is_declared_about_an_agent(
    workspace: Workspace, fleetbook: Command
) -> None:
    template = (
        "tools:\n  lookup_order",
        "templates:\n"
        "  refunds:\n"
        "    version: 2\n"
        "    name: Refunds\n"
        "    defaults:\n"
        "      model: sim:refund\n"
        "      instructions: You refund.\n"
        "      risk: {class: high, reasons: [moves_money]}\n"
        "      tools: [{tool: lookup_order}]\n"
        "tools:\n  lookup_order",
    )
    use = ("model: sim:refund\n", "template: {id: refunds, version: 2}\n    model: sim:refund\n")
    rights(workspace, use, template).close()
    code, out, _ = fleetbook("agents", "show", "refund-agent")
    assert code == 0
    lines = out.splitlines()
    for line in (
        "agent         refund-agent: Refund agent",
        "team          support",
        "owner         mara-lindt",
        "deputy        priya-nair",
        "author        priya-nair",
        "purpose       Pays back after a person agreed.",
        "risk          high (moves_money), assessed by li-chen",
        "template      refunds v2, differs in instructions, tools.refund_payment",
        "model         sim:refund",
        "instructions  You refund customers.",
        "tools         lookup_order (read)",
        "budgets       agent:refund-agent:month 20.00 USD",
    ):
        assert line in lines
    declared = [
        event for event in told(workspace, "agent_version_declared") if event["agent_id"] == "refund-agent"
    ]
    assert declared[0]["diverged_fields"] == "instructions;tools.refund_payment"
    assert fleetbook("agents", "show", "refund")[0] == 2


def test_the_plan_says_in_which_fields_a_new_agent_differs_from_its_template(
    workspace: Workspace, fleetbook: Command
) -> None:
    company(workspace).close()
    text = registry_text(
        ("company:", "templates: {sorting: {version: 1, name: S, defaults: {model: sim:x}}}\ncompany:"),
        ("model: sim:triage", "template: {id: sorting, version: 1}\n    model: sim:triage"),
    )
    workspace.registry_file.write_text(text, encoding="utf-8")
    out = fleetbook("registry", "plan")[1]
    assert "note: agent triage-agent: differs from template sorting v1 in model\n" in out


def test_schedules_are_added_paused_resumed_and_removed_with_their_events(
    workspace: Workspace, fleetbook: Command
) -> None:
    rights(workspace).close()
    words = ("--agent", "triage-agent", "--cron", "0 2 * * *", "--task", "Sort")
    assert fleetbook("schedules", "add", "nightly", *words, "--as", "mara-lindt")[:2] == (
        0,
        "+ schedule nightly\n",
    )
    assert fleetbook("schedules", "pause", "nightly", "--as", "mara-lindt", "--reason", "stocktaking")[0] == 0
    assert load_registry(workspace.registry_file).schedules["nightly"].paused
    assert fleetbook("schedules", "resume", "nightly", "--as", "mara-lindt")[0] == 0
    assert fleetbook("schedules", "remove", "nightly", "--as", "mara-lindt")[0] == 0
    told_now = [
        (event["event_type"], event.get("is_paused"), event.get("reason"))
        for event in told(workspace, "schedule_declared", "schedule_removed")
    ]
    assert told_now == [
        ("schedule_declared", False, None),
        ("schedule_declared", True, "stocktaking"),
        ("schedule_declared", False, None),
        ("schedule_removed", None, None),
    ]
    words = ("--agent", "triage-agent", "--cron", "daily", "--task", "Sort")
    code, _, error = fleetbook("schedules", "add", "daily", *words, *LEAD)
    assert code == 2
    assert "is no cron expression" in error
    assert fleetbook("schedules", "pause", "nightly", *LEAD)[0] == 2


def test_nobody_lets_a_schedule_run_as_somebody_they_may_not_change(workspace: Workspace) -> None:
    with rights(workspace) as control:
        schedule = Schedule(agent="triage-agent", cron="0 2 * * *", task="Sort", run_as="priya-nair")
        with pytest.raises(AccessRefused) as refused:
            add_schedule(control, "nightly", schedule, by="mara-lindt")
        assert refused.value.rule == "role:team_manager"
        with pytest.raises(AccessRefused) as refused:
            add_schedule(
                control, "nightly", schedule.model_copy(update={"run_as": "jon-vass"}), by="jon-vass"
            )
        assert refused.value.rule == "role:agent_user"
        elsewhere = schedule.model_copy(update={"run_as": "otto-klein"})
        with pytest.raises(AccessRefused) as refused:
            add_schedule(control, "nightly", elsewhere, by="otto-klein")
        assert refused.value.rule == "scope:team"
        add_schedule(control, "nightly", elsewhere, by="priya-nair")
        assert control.registry().schedules["nightly"].run_as == "otto-klein"
