"""Applying the registry: differences become events, once; what was decided is never undone by a file."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from ingest.contract import parse_body
from ingest.reader import event_ids, payload_texts
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.errors import AccessRefused, NotFound, RegistryNotApplied, RunRefused
from tests.conftest import Clock
from tests.runner_company import Command, company, fleetbook, registry, registry_text

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]


def log(control: Control) -> list[dict[str, object]]:
    """Every event of the registry in the log, in order."""
    import pyarrow.parquet as pq

    control.close()
    found: list[dict[str, object]] = []
    for file in sorted(control.workspace.lake_dir.rglob("*.parquet")):
        for row in pq.read_table(file, columns=["body"]).to_pylist():
            event = parse_body(row["body"])
            if event["recorded_via"] == "registry":
                found.append(dict(event))
    return sorted(found, key=lambda event: (str(event["writer_id"]), int(str(event["seq"]))))


def test_the_first_apply_tells_everything_and_the_second_nothing(workspace: Workspace) -> None:
    control = company(workspace)
    assert control.apply(registry()).is_empty
    counted = Counter(str(event["event_type"]) for event in log(control))
    # 6 + 5 + 2 + 2 ceilings of four roles and 4 grants; 4 tools, 2 + 2 of them used; 2 wallets.
    assert counted == {
        "team_declared": 3,
        "person_declared": 6,
        "role_granted": 15 + 4,
        "agent_version_declared": 2,
        "tool_declared": 4,
        "oversight_declared": 1,
        "tool_rule_set": 4,
        "status_changed": 2,
        "budget_set": 2,
    }


def test_a_changed_instruction_is_a_new_version_and_a_new_owner_is_not(workspace: Workspace) -> None:
    control = company(workspace)
    changed = ("instructions: You sort tickets.", "instructions: You sort tickets by age.")
    control.apply(registry(changed))
    control.apply(
        registry(changed, ("    owner: mara-lindt\n    purpose", "    owner: jon-vass\n    purpose"))
    )
    assert control.agent_states()["triage-agent"].agent_version == 2
    told = [event for event in log(control) if event.get("agent_id") == "triage-agent"]
    versions = [event for event in told if event["event_type"] == "agent_version_declared"]
    assert [event["agent_version"] for event in versions] == [1, 2]
    texts = payload_texts(workspace, [str(event["payload_id"]) for event in versions])
    for event in versions:
        spec = texts[str(event["payload_id"])]
        assert spec is not None
        digest = hashlib.sha256(b"fleetbook/agent-version/v1\0" + spec.encode()).hexdigest()
        assert event["version_hash"] == digest
    owners = [event["owner_id"] for event in told if event["event_type"] == "owner_changed"]
    assert owners == ["jon-vass"]


def test_applying_the_file_again_never_revives_a_retired_agent(workspace: Workspace) -> None:
    control = company(workspace)
    control.decide_status("triage-agent", "retired", "priya-nair", "not used for two cycles")
    done = control.apply(registry(("instructions: You sort tickets.", "instructions: You sort better.")))
    assert "agent triage-agent: the file says status live, decided is retired" in done.notes[0]
    state = control.agent_states()["triage-agent"]
    assert (state.status, state.agent_version) == ("retired", 2)
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort", "jon-vass")
    assert refused.value.rule == "status:retired"
    assert "not used for two cycles" in str(refused.value)
    control.close()


def test_an_agent_taken_out_of_the_file_may_not_run_and_keeps_its_history(workspace: Workspace) -> None:
    control = company(workspace)
    text = registry_text()
    start = text.index("  triage-agent:")
    control.apply(registry((text[start : text.index("grants:")], "")))
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort", "jon-vass")
    assert refused.value.rule == "not-declared"
    assert control.agent_states()["triage-agent"].status == "live"
    control.close()


def test_a_grant_taken_back_and_a_deny_grant_are_told_and_hold_at_once(workspace: Workspace) -> None:
    control = company(workspace)
    line = "  - {id: users-run-support, role: agent_user, action: run_agent, team: support}\n"
    denied = line.replace("users-run-support", "no-users").replace("}", ", effect: deny, reason: audit}")
    control.apply(registry((line, denied)))
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort", "jon-vass")
    assert refused.value.rule == "no-users"
    told = [event for event in log(control) if str(event["event_type"]).startswith("role_")][-2:]
    assert [(event["event_type"], event["rule_id"], event.get("grant_effect")) for event in told] == [
        ("role_revoked", "users-run-support", None),
        ("role_granted", "no-users", "deny"),
    ]


def test_a_person_taken_out_of_the_file_is_told_and_can_do_nothing(workspace: Workspace) -> None:
    control = company(workspace)
    control.apply(registry(("  eva-sol: {name: Eva Sol, team: sales, role: agent_user}\n", "")))
    with pytest.raises(NotFound, match="no person 'eva-sol'"):
        control.request_run("refund-agent", "Refund", "eva-sol")
    assert [event["person_id"] for event in log(control) if event["event_type"] == "person_removed"] == [
        "eva-sol"
    ]


def test_what_is_around_agents_is_told_when_it_comes_changes_and_goes(workspace: Workspace) -> None:
    around = (
        "grants:\n",
        "knowledge: {handbook: {name: Handbook, folder: docs, sensitivity: internal, owner: li-chen}}\n"
        "mcp_servers: {crm: {command: [crm-tools]}}\n"
        "templates: {sorting: {version: 3, name: Sorting}}\n"
        "schedules: {nightly: {agent: triage-agent, cron: 0 2 * * *, task: Sort, run_as: mara-lindt}}\n"
        "notifications: [{id: chat, url: 'slack://token-a/token-b'}]\n"
        "grants:\n",
    )
    control = company(workspace, around)
    control.apply(registry((around[0], around[1].replace("internal", "personal"))))
    control.apply(registry())
    kinds = ("knowledge", "mcp_server", "template", "schedule", "notification")
    told = [event for event in log(control) if str(event["event_type"]).rpartition("_")[0] in kinds]
    assert [event["event_type"] for event in told] == [
        *(f"{kind}_declared" for kind in kinds),
        "knowledge_declared",
        *(f"{kind}_removed" for kind in kinds),
    ]
    assert (told[0]["knowledge_id"], told[0]["sensitivity"], told[0]["owner_id"]) == (
        "handbook",
        "internal",
        "li-chen",
    )
    assert told[5]["sensitivity"] == "personal"
    assert (told[2]["template_id"], told[2]["template_version"]) == ("sorting", 3)
    assert (told[3]["rule_id"], told[3]["person_id"], told[3]["cron"]) == (
        "nightly",
        "mara-lindt",
        "0 2 * * *",
    )
    assert told[4]["notification_id"] == "chat"
    assert "payload_id" not in told[4]  # its URL holds a secret
    assert not any("token-a" in str(event) for event in log(control))


def test_a_changed_cap_reaches_the_open_window_and_a_dropped_wallet_is_told(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, clock=clock)
    changed = registry(
        ('cap_usd: "50.00"', 'cap_usd: "75.50"'),
        ('  - {wallet: "agent:refund-agent", window: month, cap_usd: "20.00"}\n', ""),
    )
    control.apply(changed)
    told = [event for event in log(control) if event["event_type"] == "budget_set"][-2:]
    assert told[0]["cap_nano_usd"] == 75_500_000_000
    # 1 November 2026 in Berlin is 31 October, 23:00 UTC.
    assert str(told[0]["window_start_at"]) == "2026-10-31 23:00:00+00:00"
    assert str(told[0]["window_end_at"]) == "2026-11-30 23:00:00+00:00"
    assert told[1]["wallet_id"] == "agent:refund-agent:month"
    assert (told[1]["is_unlimited"], told[1]["reason"]) == (True, "no longer declared in registry.yaml")


def test_the_plan_is_a_diff_a_reviewer_can_read(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace).close()
    workspace.registry_file.write_text(
        registry_text(
            ("over: 100}", "over: 250}"),
            ("max_output_tokens: 400\n    tools: [", "max_output_tokens: 500\n    tools: ["),
            ("  eva-sol: {name: Eva Sol, team: sales, role: agent_user}\n", ""),
        )
    )
    code, out, _ = fleetbook("registry", "plan")
    assert code == 0
    assert "- person eva-sol" in out
    assert "~ agent refund-agent\n    tools[refund_payment].approval.when.over: 100 → 250" in out
    assert "~ agent triage-agent\n    max_output_tokens: 400 → 500" in out
    assert "Run `fleetbook registry apply`" in out
    assert fleetbook("registry", "apply")[0] == 0
    assert fleetbook("registry", "plan")[1] == "Nothing to change: what the file says is applied.\n"


def test_only_who_may_applies_as_a_person(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace).close()
    code, _, error = fleetbook("registry", "apply", "--as", "mara-lindt")
    assert code == 1
    assert "role team_manager may not apply_registry (rule role:team_manager)" in error
    assert fleetbook("registry", "apply", "--as", "priya-nair")[0] == 0
    with Control(workspace) as control, pytest.raises(AccessRefused):
        control.apply(registry(), person_id="jon-vass")


def test_nothing_is_known_before_the_first_apply(workspace: Workspace, fleetbook: Command) -> None:
    with Control(workspace) as control, pytest.raises(RegistryNotApplied):
        control.request_run("refund-agent", "Refund", "jon-vass")
    code, _, error = fleetbook("agents")
    assert code == 2
    assert "Run `fleetbook registry apply`" in error
    assert event_ids(workspace, recorded_via="runner") == set()
