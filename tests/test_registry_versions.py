"""Versions: a second person puts those of high-risk agents in force; diff, and roll-back as a new version."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.workspace import Workspace
from runner.control import agent_changes
from runner.control.plane import Control
from runner.control.registry_file import load_registry, parse_registry
from runner.control.version_approval import approve_version, versions_of
from runner.control.versions import freeze
from runner.errors import AccessRefused, NotFound, RegistryDrifted, RunRefused
from tests.registry_log import told
from tests.runner_company import Command, fleetbook, play, registry_text

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]

WATCHED = ("oversight: {second_person_approves_versions: []}\n", "")
RIGHTS = (
    ("export_data, apply_registry]", "export_data, apply_registry, approve_version, change_agents]"),
    ("read_payload, export_data]}", "read_payload, export_data, approve_version]}"),
)


def watched(workspace: Workspace, *changes: tuple[str, str], person_id: str | None = None) -> Control:
    """A control plane on a company in which versions of high-risk agents wait for a second person."""
    text = registry_text(WATCHED, *RIGHTS, *changes)
    workspace.registry_file.write_text(text, encoding="utf-8")
    control = Control(workspace)
    control.apply(parse_registry(text, workspace.registry_file), person_id=person_id)
    return control


def change(control: Control, old: str, new: str, *, person_id: str | None = None) -> None:
    """Replace ``old`` in registry.yaml and apply it."""
    file = control.workspace.registry_file
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    control.apply(load_registry(file), person_id=person_id)


def test_a_first_version_of_a_high_risk_agent_cannot_start_until_a_second_person_approved_it(
    workspace: Workspace,
) -> None:
    with watched(workspace) as control:
        assert control.agent_states()["refund-agent"].status == "review"
        assert control.agent_states()["triage-agent"].status == "live"
        with pytest.raises(RunRefused) as refused:
            control.request_run("refund-agent", "Refund order W-2208, 60 USD", "jon-vass")
        assert refused.value.rule == "version:not-approved"
        assert "fleetbook agents approve-version refund-agent" in str(refused.value)
        approve_version(control, "refund-agent", None, "mara-lindt", "read and tried")
        outcome = play(control, "refund-agent", "Refund order W-2208, 60 USD")
        assert outcome.end_state == "completed"
    declared, approved = told(workspace, "agent_version_declared", "version_approved")[::2]
    assert (declared["agent_id"], declared["is_approval_needed"]) == ("refund-agent", True)
    assert approved["version_hash"] == declared["version_hash"]
    assert (approved["person_id"], approved["reason"]) == ("mara-lindt", "read and tried")
    statuses = [
        event["status"] for event in told(workspace, "status_changed") if event["agent_id"] == "refund-agent"
    ]
    assert statuses == ["review", "live"]


def test_a_status_decided_meanwhile_does_not_let_an_unapproved_version_start(workspace: Workspace) -> None:
    with watched(workspace) as control:
        control.decide_status("refund-agent", "live", "priya-nair", "we need it today")
        with pytest.raises(RunRefused) as refused:
            control.request_run("refund-agent", "Refund order W-2208, 60 USD", "jon-vass")
        assert refused.value.rule == "version:not-approved"


def test_a_later_version_leaves_the_approved_one_in_force_until_it_is_approved_itself(
    workspace: Workspace,
) -> None:
    with watched(workspace) as control:
        approve_version(control, "refund-agent", 1, "mara-lindt")
        change(control, "instructions: You refund customers.", "instructions: You refund gladly.")
        assert control.agent_states()["refund-agent"].agent_version == 1
        run = control.run(control.request_run("refund-agent", "Refund order W-2208, 60 USD", "jon-vass"))
        assert run.agent_version == 1
        approve_version(control, "refund-agent", None, "mara-lindt")
        run = control.run(control.request_run("refund-agent", "Refund order W-2208, 60 USD", "jon-vass"))
        assert run.agent_version == 2


def test_neither_author_nor_who_applied_it_nor_who_may_not_approves_a_version(workspace: Workspace) -> None:
    with watched(workspace, ("author: priya-nair", "author: jon-vass"), person_id="priya-nair") as control:
        for person_id, rule in (
            ("priya-nair", "applier-is-approver"),
            ("jon-vass", "role:agent_user"),
            ("otto-klein", "scope:team"),
        ):
            with pytest.raises(AccessRefused) as refused:
                approve_version(control, "refund-agent", None, person_id)
            assert refused.value.rule == rule
        assert not control.agent_states()["refund-agent"].is_approved
    with watched(workspace, ("author: priya-nair", "author: mara-lindt")) as control:
        with pytest.raises(AccessRefused, match="mara-lindt wrote version 2") as refused:
            approve_version(control, "refund-agent", None, "mara-lindt")
        assert refused.value.rule == "author-is-approver"
    refusals = told(workspace, "action_refused")
    assert [event["refusal_rule"] for event in refusals] == [
        "applier-is-approver",
        "role:agent_user",
        "scope:team",
        "author-is-approver",
    ]


def test_an_unknown_author_is_no_first_person(workspace: Workspace) -> None:
    with watched(workspace, ("    author: priya-nair\n", "")) as control:
        with pytest.raises(AccessRefused) as refused:
            approve_version(control, "refund-agent", None, "mara-lindt")
        assert refused.value.rule == "author-unknown"


def test_leaving_the_risk_class_takes_the_second_person_too(workspace: Workspace) -> None:
    with watched(workspace) as control:
        approve_version(control, "refund-agent", None, "mara-lindt")
        change(control, "risk: {class: high,", "risk: {class: minimal,")
        assert control.agent_states()["refund-agent"].agent_version == 1
        approve_version(control, "refund-agent", 2, "mara-lindt")
        change(control, "instructions: You refund customers.", "instructions: You refund gladly.")
        assert control.agent_states()["refund-agent"].agent_version == 3


def test_approving_what_is_in_force_changes_nothing_and_an_older_version_is_refused(
    workspace: Workspace,
) -> None:
    with watched(workspace) as control:
        change(control, "instructions: You refund customers.", "instructions: You refund gladly.")
        approve_version(control, "refund-agent", 2, "mara-lindt")
        assert approve_version(control, "refund-agent", 2, "mara-lindt").is_in_force
        with pytest.raises(AccessRefused) as refused:
            approve_version(control, "refund-agent", 1, "mara-lindt")
        assert refused.value.rule == "version-superseded"
        with pytest.raises(NotFound, match="agents versions refund-agent"):
            approve_version(control, "refund-agent", 9, "mara-lindt")
    assert len(told(workspace, "version_approved")) == 1


@pytest.mark.parametrize("is_delegated", [False, True])
def test_a_high_risk_agent_cannot_reach_a_consequential_tool_without_an_approval_rule(
    workspace: Workspace, is_delegated: bool
) -> None:
    ungated = ("tools: [{tool: search_tickets}", "tools: [{tool: refund_payment}, {tool: search_tickets}")
    by_itself = ("risk: {class: limited}", "risk: {class: high}\n    author: priya-nair")
    by_another = ("    max_output_tokens: 400\n    tools:\n", "    delegates: [triage-agent]\n    tools:\n")
    agent_id = "refund-agent" if is_delegated else "triage-agent"
    with watched(workspace, ungated, by_another if is_delegated else by_itself) as control:
        approve_version(control, agent_id, None, "mara-lindt")
        with pytest.raises(RunRefused) as refused:
            control.request_run(agent_id, "Refund order W-2208, 60 USD", "jon-vass")
        assert refused.value.rule == "risk:no-approval-rule"
        named = "triage-agent.refund_payment" if is_delegated else "refund_payment"
        assert f"an approval rule on {named}" in str(refused.value)


def test_a_rollback_is_a_new_version_with_the_old_specification_in_the_file_too(workspace: Workspace) -> None:
    with watched(workspace) as control:
        before = load_registry(workspace.registry_file)
        change(control, "max_output_tokens: 400\n    tools:\n", "max_output_tokens: 900\n    tools:\n")
        change(control, "over: 100}", "over: 1000}")
        rolled = agent_changes.roll_back(
            control, "refund-agent", 1, by="priya-nair", reason="it paid too much without asking"
        )
        assert rolled.version.agent_version == 4
        with control.store.read() as connection:
            versions = versions_of(connection, "refund-agent")
        assert versions[0].version_hash == rolled.version.version_hash
        assert rolled.version.is_waiting  # a high-risk agent's roll-back is approved like any other version
        after = load_registry(workspace.registry_file)
        assert freeze(after, after.agents["refund-agent"]) == freeze(before, before.agents["refund-agent"])
        assert control.plan(after).is_empty
        again = agent_changes.roll_back(control, "refund-agent", 1, by="priya-nair", reason="again")
        assert again.version.agent_version == 4
    newest = told(workspace, "agent_version_declared")[-1]
    assert newest["reason"] == "rolled back to version 1: it paid too much without asking"
    assert newest["actor_id"] == "priya-nair"


def test_a_rollback_says_which_tools_are_declared_differently_since(workspace: Workspace) -> None:
    with watched(workspace) as control:
        change(control, "instructions: You refund customers.", "instructions: You refund gladly.")
        change(
            control,
            'simulated_tools:lookup_order", effect: read',
            'simulated_tools:lookup_order", effect: write',
        )
        rolled = agent_changes.roll_back(control, "refund-agent", 1, by="priya-nair", reason="shorter")
        assert rolled.different_tools == ("lookup_order",)


def test_who_may_not_change_agents_rolls_nothing_back_and_a_drifted_file_is_left_alone(
    workspace: Workspace,
) -> None:
    with watched(workspace) as control:
        change(control, "instructions: You refund customers.", "instructions: You refund gladly.")
        with pytest.raises(AccessRefused):
            agent_changes.roll_back(control, "refund-agent", 1, by="mara-lindt", reason="mine")
        text = workspace.registry_file.read_text(encoding="utf-8")
        workspace.registry_file.write_text(text.replace("gladly", "sadly"), encoding="utf-8")
        with pytest.raises(RegistryDrifted, match="fleetbook registry plan"):
            agent_changes.roll_back(control, "refund-agent", 1, by="priya-nair", reason="mine")
        assert "sadly" in workspace.registry_file.read_text(encoding="utf-8")


def test_versions_are_listed_compared_and_approved_on_the_command_line(
    workspace: Workspace, fleetbook: Command
) -> None:
    with watched(workspace) as control:
        change(control, "over: 100}", "over: 250}", person_id="priya-nair")
    code, out, _ = fleetbook("agents", "diff", "refund-agent")
    assert code == 0
    assert out == (
        "refund-agent v1 → v2 (waits for a second person's approval)\n"
        "tools[refund_payment].approval.when.over\n  - 100\n  + 250\n"
    )
    code, out, _ = fleetbook("agents", "approve-version", "refund-agent", "--as", "mara-lindt")
    assert (code, out) == (
        0,
        "Version 2 of refund-agent is in force, approved by mara-lindt; refund-agent is live.\n",
    )
    first, second = fleetbook("agents", "versions", "refund-agent")[1].splitlines()
    assert first.startswith("v1  ")
    assert first.endswith("waits for a second person's approval")
    assert second.endswith("in force, approved by mara-lindt")
    assert "declared by priya-nair" not in first
    assert "by priya-nair" in second
    code, _, error = fleetbook("agents", "approve-version", "refund-agent", "1", "--as", "mara-lindt")
    assert code == 1
    assert "(rule version-superseded)" in error
    assert "specifications are the same" in fleetbook("agents", "diff", "refund-agent", "2", "2")[1]


def test_an_apply_says_which_versions_wait_and_who_may_approve_them(
    workspace: Workspace, fleetbook: Command
) -> None:
    workspace.registry_file.write_text(registry_text(WATCHED, *RIGHTS), encoding="utf-8")
    code, out, _ = fleetbook("registry", "apply")
    assert code == 0
    assert (
        "Version 1 of refund-agent waits for a second person: "
        "`fleetbook agents approve-version refund-agent --as mara-lindt`\n"
    ) in out


def test_the_starter_leads_from_init_to_a_run_by_the_commands_it_names(
    workspace: Workspace, fleetbook: Command
) -> None:
    Path(workspace.registry_file).unlink(missing_ok=True)
    steps = [line.strip() for line in fleetbook("init")[1].splitlines() if line.startswith("  fleetbook ")]
    assert steps[0] == "fleetbook registry apply"
    assert steps[1] == "fleetbook agents approve-version refund-agent --as mara-lindt"
    for step in steps[:2]:
        assert fleetbook(*step.split()[1:])[0] == 0
    assert "refund-agent  live " in fleetbook("agents")[1]
