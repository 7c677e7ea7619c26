"""Approval rules as pure questions, and deciding from the command line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ingest.workspace import Workspace
from runner.control.approvals import money_at_stake, needs_person, rule_sentence
from runner.control.registry import ApprovalRule, When
from tests.runner_company import Command, company, fleetbook, play

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]

TOOLS = (
    ("runner.agent.simulated_tools:lookup_order", "tests.runner_tools:lookup_order"),
    ("runner.agent.simulated_tools:refund_payment", "tests.runner_tools:refund_payment"),
)


@pytest.fixture
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the tools leave their effects."""
    file = tmp_path / "effects.txt"
    file.touch()
    monkeypatch.setenv("EFFECTS_FILE", str(file))
    return file


def refunds(effects: Path) -> list[str]:
    return [line for line in effects.read_text().splitlines() if line.startswith("refund")]


@pytest.mark.parametrize(
    ("when", "arguments", "asks"),
    [
        (None, {}, True),
        (When(argument="a", over=Decimal(100)), {"a": 100}, False),
        (When(argument="a", over=Decimal(100)), {"a": "100.01"}, True),
        (When(argument="a", at_least=Decimal(100)), {"a": 100}, True),
        (When(argument="a", at_least=Decimal(100)), {"a": 99.99}, False),
        (When(argument="a", one_of=("x", "y")), {"a": "y"}, True),
        (When(argument="a", one_of=("x", "y")), {"a": "z"}, False),
        # What cannot be tested asks.
        (When(argument="a", over=Decimal(100)), {}, True),
        (When(argument="a", over=Decimal(100)), {"a": "many"}, True),
        (When(argument="a", over=Decimal(100)), {"a": True}, True),
        (When(argument="a", over=Decimal(100)), {"a": "NaN"}, True),
        (When(argument="a", one_of=("x",)), {}, True),
    ],
)
def test_when_a_call_needs_a_person(when: When | None, arguments: dict[str, object], asks: bool) -> None:
    rule = ApprovalRule(id="r", when=when, approver_role="team_manager", money_argument="a")
    assert needs_person(rule, arguments) is asks


def test_a_rule_says_itself_in_words_and_money() -> None:
    rule = ApprovalRule(
        id="r",
        when=When(argument="amount_usd", over=Decimal(100)),
        approver_role="lead",
        money_argument="amount_usd",
    )
    assert rule_sentence(rule) == "amount_usd over 100 needs a lead who did not start the run"
    assert money_at_stake(rule, {"amount_usd": "240.55"}) == 240_550_000_000
    assert money_at_stake(rule, {}) is None


def test_the_parked_message_has_the_exact_commands_and_another_process_resumes(
    workspace: Workspace, fleetbook: Command, effects: Path
) -> None:
    company(workspace, *TOOLS).close()
    code, out, _ = fleetbook("run", "refund-agent", "Refund W-2211, 240 USD", "--as", "jon-vass")
    assert code == 0
    assert "waits for a person" in out
    assert "240.00 USD at stake" in out
    command = next(line.split() for line in out.splitlines() if "fleetbook approve" in line)
    assert command[3:] == ["--as", "mara-lindt"]
    assert fleetbook("approvals", "--as", "mara-lindt")[1].count(command[2]) == 2
    assert fleetbook("approvals", "--as", "mara")[0] == 2
    code, out, _ = fleetbook(*command[1:], "--reason", "fine", "--no-resume")
    assert code == 0
    assert "`fleetbook worker --once` resumes it" in out
    assert refunds(effects) == []
    code, out, _ = fleetbook("worker", "--once")
    assert code == 0
    assert "completed" in out
    assert len(refunds(effects)) == 1
    assert "Nothing waits for a decision." in fleetbook("approvals")[1]
    assert "approved by mara-lindt" in fleetbook("approvals", "--all")[1]


def test_approve_with_set_and_reject_resume_where_they_are_run(
    workspace: Workspace, fleetbook: Command, effects: Path
) -> None:
    control = company(workspace, *TOOLS)
    task = "Refund W-2211, 240 USD"
    (first,), (second,) = (play(control, "refund-agent", task).requests for _ in range(2))
    control.close()
    code, out, _ = fleetbook("approve", first.approval_id, "--as", "mara-lindt", "--set", "amount_usd=120.5")
    assert code == 0
    assert "Refunded 120.5 USD" in out
    code, out, _ = fleetbook(
        "reject", second.approval_id, "--as", "mara-lindt", "--reason", "not [red]today[/red]"
    )
    assert code == 0
    assert "rejected the call: not [red]today[/red]" in out
    code, _, error = fleetbook("approve", first.approval_id, "--as", "mara-lindt", "--set", "amount_usd")
    assert code == 2
    code, _, error = fleetbook("approve", first.approval_id, "--as", "mara-lindt")
    assert code == 1
    assert "rule already-decided" in error
