"""registry.yaml: what is wrong with it is said with line, key and the nearest valid key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.workspace import Workspace
from runner.agent.binding_check import check_bindings, warnings_of
from runner.control.registry_file import load_registry, parse_registry
from runner.control.starter import STARTER
from runner.errors import RegistryInvalid
from tests.runner_company import Command, fleetbook, registry, registry_text

__all__ = ["fleetbook"]


def problems(folder: Path, *changes: tuple[str, str]) -> list[tuple[str, str]]:
    """What is wrong with the changed registry: the text of the named line, and the sentence."""
    text, file = registry_text(*changes), folder / "registry.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryInvalid) as refused:
        check_bindings(load_registry(file), file)
    lines = text.splitlines()
    return [(lines[problem.line - 1].strip(), problem.text) for problem in refused.value.problems]


def test_a_typo_in_a_key_names_file_line_and_nearest_key() -> None:
    text = registry_text(("    owner: mara-lindt\n    deputy", "    ownr: mara-lindt\n    deputy"))
    with pytest.raises(RegistryInvalid) as refused:
        parse_registry(text, Path("shop/registry.yaml"))
    line = text.splitlines().index("    ownr: mara-lindt") + 1
    assert f"shop/registry.yaml:{line}: agents.refund-agent: unknown key 'ownr'" in str(refused.value)
    assert "the nearest valid key is 'owner'" in str(refused.value)
    assert refused.value.exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("class: high", "clas: high", "unknown key 'clas'; the nearest valid key is 'class'"),
        ("class: high", "class: hihg", "'hihg' is not allowed here; the nearest word is 'high'"),
        ("when: {argument", "whn: {argument", "unknown key 'whn'; the nearest valid key is 'when'"),
        ("scope: own", "scope: mine", "'mine' is not allowed here; words: own, team, all"),
        ("time_zone: Europe/Berlin", "time_zone: Europe/Belrin", "'Europe/Belrin' is no IANA time zone"),
        (
            "manager: otto-klein",
            "manager: oto-klein",
            "'oto-klein' is not among people; nearest: 'otto-klein'",
        ),
        ("{tool: search_tickets}", "{tool: search_ticket}", "is not among tools; nearest: 'search_tickets'"),
        ("approver_role: team_manager", "approver_role: analyst", "role 'analyst' may not decide_approval"),
        ("agent: refund-agent}", "agent: refund-agnet}", "is not among agents; nearest: 'refund-agent'"),
        ('"50.00"}', '"fifty"}', "Input should be a valid decimal"),
        ('cap_usd: "50.00"', "unlimited: true", "unlimited needs a reason"),
        ('cap_usd: "50.00"', 'reason: "none"', "give cap_usd as a number, or unlimited: true with a reason"),
        ("over: 100", "over: 100, at_least: 5", "give exactly one of over, at_least, one_of"),
        ("model: sim:triage", "model: sim:triag", "has no scenario 'triag'; the nearest one is 'triage'"),
        ("model: sim:triage", "model: opnai-chat:x", "The nearest one is 'openai-chat'"),
        ("argument: amount_usd", "argument: amount", "has no argument 'amount'; nearest: 'amount_usd'"),
        ("tools:lookup_order", "tools:lookup_ordr", "has no function lookup_ordr"),
    ],
)
def test_each_mistake_is_named_on_its_own_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    found = problems(tmp_path, (old, new))
    assert any(new.split(",")[0] in line and sentence in text for line, text in found), found


def test_a_key_given_twice_is_an_error_that_names_the_first() -> None:
    text = registry_text(
        ("    status: live\n  triage-agent", "    status: live\n    status: retired\n  triage-agent")
    )
    with pytest.raises(RegistryInvalid) as refused:
        parse_registry(text, Path("registry.yaml"))
    first = text.splitlines().index("    status: live") + 1
    assert f"key is given twice, first in line {first}" in str(refused.value)


def test_a_wallet_and_a_grant_are_declared_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ('"20.00"}', '"20.00"}\n  - {wallet: "team:support", window: month, cap_usd: "9"}'),
        ("id: users-run-support", "id: users-run-refund"),
    )
    assert [text for _, text in found] == [
        "grant 'users-run-refund' is declared twice",
        "wallet 'team:support:month' is declared twice",
    ]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "company: [\n", "company: {name: x\nroles: 3", "\x00"])
def test_a_file_that_is_no_registry_is_refused_with_a_sentence(text: str, tmp_path: Path) -> None:
    file = tmp_path / "registry.yaml"
    file.write_text(text)
    with pytest.raises(RegistryInvalid, match=r"registry\.yaml"):
        load_registry(file)


def test_a_missing_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(RegistryInvalid, match="fleetbook init"):
        load_registry(tmp_path / "registry.yaml")


def test_a_high_risk_agent_without_approval_rule_and_an_agent_without_wallet_are_warned_about() -> None:
    open_rule = registry_text().split("        approval:\n")[1].split("    status: live")[0]
    bad = registry(
        ("        approval:\n" + open_rule, ""),
        ('  - {wallet: "team:support", window: month, cap_usd: "50.00"}\n', ""),
    )
    assert warnings_of(bad) == [
        "agent refund-agent is of high risk and may not start: no approval rule on refund_payment",
        "agent triage-agent may not start: neither it nor team support has a wallet",
    ]


def test_an_agent_of_another_provider_may_be_declared_and_is_said_to_run_elsewhere() -> None:
    declared = registry(("model: sim:triage", "model: azure:gpt-4.1"))
    assert warnings_of(declared) == [
        "agent triage-agent runs elsewhere: azure:gpt-4.1 is not called by this release"
    ]


def test_the_starter_is_valid_and_never_overwrites(workspace: Workspace, fleetbook: Command) -> None:
    code, out, _ = fleetbook("init")
    assert code == 0
    assert "Made workspace" in out
    assert workspace.registry_file.read_text(encoding="utf-8") == STARTER
    assert fleetbook("registry", "check")[:2] == (
        0,
        "Valid: 3 agents, 6 tools, 2 teams, 5 people, 4 grants, 3 budgets.\n",
    )
    workspace.registry_file.write_text("mine")
    assert "stays as it is" in fleetbook("init")[1]
    assert workspace.registry_file.read_text() == "mine"


def test_check_ends_with_1_and_writes_nothing(workspace: Workspace, fleetbook: Command) -> None:
    workspace.registry_file.write_text(registry_text(("purpose: Sorts tickets.", "purpos: Sorts tickets.")))
    code, out, error = fleetbook("registry", "apply")
    assert (code, out) == (1, "")
    assert "the nearest valid key is 'purpose'" in error
    assert not (workspace.root / "control.db").exists()
