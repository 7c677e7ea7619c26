"""Approvals among several people: decided in batches, reminded of, escalated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ingest.workspace import Workspace
from runner.control import batches, decisions, reminders
from runner.control.approvals import Request
from runner.control.decisions import Wish
from runner.control.plane import Control
from runner.control.upkeep import upkeep
from runner.control.versions import freeze, thaw
from runner.errors import BatchRefused, DecisionRefused
from tests.conftest import Clock
from tests.log_told import told_of
from tests.runner_company import Command, company, events, fleetbook, play, registry

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


def parked(control: Control, *people: str) -> list[Request]:
    """One parked refund for each of ``people``."""
    task = "Refund W-2211, 240 USD"
    return [play(control, "refund-agent", task, person).requests[0] for person in people]


def test_a_batch_is_one_reason_and_each_decision_alone(workspace: Workspace, effects: Path) -> None:
    with company(workspace, *TOOLS) as control:
        mine, first, second = parked(control, "mara-lindt", "jon-vass", "jon-vass")
        wanted = batches.alike(control, first.approval_id)
        assert wanted[0] == first.approval_id
        assert set(wanted) == {one.approval_id for one in (mine, first, second)}
        wish = Wish(person_id="mara-lindt", decision="approved", reason="checked against the orders")
        made = batches.decide_batch(control, wanted, wish)
        refused = [one for one in made if one.refusal is not None]
        assert [one.request.approval_id for one in refused] == [mine.approval_id]
        assert refused[0].refusal is not None
        assert refused[0].refusal.rule == "requester-is-approver"
        decided = told_of(workspace, "approval_decided")
        assert {event["approval_id"] for event in decided} == {first.approval_id, second.approval_id}
        assert len({event["batch_id"] for event in decided}) == 1
        assert {event["reason"] for event in decided} == {"checked against the orders"}
        assert control.run(mine.run_id).status == "waiting"


def test_a_batch_is_for_one_tool_and_changes_no_arguments(workspace: Workspace, effects: Path) -> None:
    gated = "{tool: classify_ticket, approval: {id: ask, approver_role: team_manager}}"
    with company(workspace, *TOOLS, ("{tool: classify_ticket}", gated)) as control:
        (refund,) = parked(control, "jon-vass")
        ticket, *_ = play(control, "triage-agent", "Sort the tickets").requests
        wish = Wish(person_id="mara-lindt", decision="approved")
        with pytest.raises(BatchRefused) as refused:
            batches.decide_batch(control, [refund.approval_id, ticket.approval_id], wish)
        assert "several tools: classify_ticket, refund_payment" in str(refused.value)
        assert told_of(workspace, "approval_decided") == []


def test_all_alike_are_approved_and_resumed_by_one_command(
    workspace: Workspace, effects: Path, fleetbook: Command
) -> None:
    with company(workspace, *TOOLS) as control:
        first, second = parked(control, "jon-vass", "jon-vass")
    code, out, _ = fleetbook("approvals")
    assert (code, "high risk" in out, "240.00 USD at stake" in out, "waits 0 min" in out) == (0,) + (
        True,
    ) * 3
    code, out, _ = fleetbook(
        "approve", "--all-like", first.approval_id, "--as", "mara-lindt", "--reason", "fine"
    )
    assert code == 0
    assert out.count("Refunded 240 USD") == 2
    assert len([line for line in effects.read_text().splitlines() if line.startswith("refund")]) == 2
    code, out, _ = fleetbook(
        "reject", first.approval_id, second.approval_id, "--as", "mara-lindt", "--reason", "no"
    )
    assert (code, out.count("already-decided")) == (1, 2)


def test_what_waits_is_brought_to_mind_once_and_escalated_once(
    workspace: Workspace, effects: Path, clock: Clock
) -> None:
    with company(workspace, *TOOLS, clock=clock) as control:
        (request,) = parked(control, "jon-vass")  # lapses after 60 minutes
        for minutes, count in [(29, 0), (2, 1), (5, 0), (11, 0), (2, 1), (5, 0)]:
            clock.advance(minutes=minutes)
            assert reminders.remind(control) == count
        control.relay.flush()
        (reminded,) = events(workspace, request.run_id, "approval_reminded")
        (escalated,) = events(workspace, request.run_id, "approval_escalated")
        assert reminded["told_ids"] == "mara-lindt"  # holds the role that the rule names
        assert escalated["told_ids"] == "mara-lindt;priya-nair"  # and who reaches all teams
        raised = told_of(workspace, "notice_raised")
        assert [(event["notice_kind"], event.get("team_id")) for event in raised] == [
            ("approval-reminder", "support"),
            ("approval-escalated", None),
        ]
        clock.advance(minutes=7)
        upkeep(control)
        assert control.run(request.run_id).end_state == "expired_waiting"
        (end,) = events(workspace, request.run_id, "run_ended")
        notices = len(raised)  # are about the run, and none of its own events
        assert end["declared_event_count"] == len(events(workspace, request.run_id)) - notices


def test_a_request_past_both_shares_is_escalated_only(
    workspace: Workspace, effects: Path, clock: Clock
) -> None:
    shares = ("oversight: {", "oversight: {remind_at_percent: 10, escalate_at_percent: 20, ")
    with company(workspace, *TOOLS, shares, clock=clock) as control:
        (request,) = parked(control, "jon-vass")
        clock.advance(minutes=12)
        assert reminders.remind(control) == 1
        assert reminders.remind(control) == 0
        control.relay.flush()
        assert events(workspace, request.run_id, "approval_reminded") == []
        (event,) = events(workspace, request.run_id, "approval_escalated")
        assert json.loads(request.arguments)["amount_usd"] == "240"
        assert event["tool_name"] == "refund_payment"


FOR_TWO = (
    ("expires_minutes: 60\n", "expires_minutes: 60\n          approvers_needed: 2\n"),
    ("{name: Eva Sol, team: sales, role: agent_user}", "{name: Eva Sol, team: support, role: team_manager}"),
)


def test_what_needs_two_people_runs_after_two_have_approved_the_same(
    workspace: Workspace, effects: Path, fleetbook: Command
) -> None:
    with company(workspace, *TOOLS, *FOR_TWO) as control:
        (request,) = parked(control, "jon-vass")
        assert "needs two people, each a team_manager, who did not start the run" in request.rule_text
        code, out, _ = fleetbook("approvals")
        assert (code, "0 of 2 approved" in out) == (0, True)
        changed = Wish(
            person_id="mara-lindt",
            decision="approved_changed",
            changed_arguments={"order_id": "W-2211", "amount_usd": "150.00"},
        )
        with pytest.raises(DecisionRefused, match="two people have to approve the same arguments"):
            decisions.decide(control, request.approval_id, changed, recorded_via=None)
    code, out, _ = fleetbook("approve", request.approval_id, "--as", "mara-lindt")
    assert (code, "1 of 2: somebody else approves it, too" in out) == (0, True)
    assert "refund" not in effects.read_text()
    code, out, _ = fleetbook("approvals")
    assert "1 of 2 approved, by mara-lindt" in out
    assert "may decide: eva-sol" in out
    code, _, error = fleetbook("approve", request.approval_id, "--as", "mara-lindt")
    assert (code, "has approved it, 1 of 2" in error) == (1, True)
    code, out, _ = fleetbook("approve", request.approval_id, "--as", "eva-sol")
    assert (code, "Refunded 240 USD" in out) == (0, True)
    decided = events(workspace, request.run_id, "approval_decided")
    assert [(one["person_id"], one.get("is_confirmation_needed")) for one in decided] == [
        ("mara-lindt", True),
        ("eva-sol", None),
    ]
    (end,) = events(workspace, request.run_id, "run_ended")
    refused = events(workspace, request.run_id, "action_refused")  # is about the run, and none of its own
    assert end["declared_event_count"] == len(events(workspace, request.run_id)) - len(refused)


def test_one_of_two_may_reject_and_the_approval_of_one_lapses(
    workspace: Workspace, effects: Path, clock: Clock
) -> None:
    with company(workspace, *TOOLS, *FOR_TWO, clock=clock) as control:
        rejected, lapsed = parked(control, "jon-vass", "jon-vass")
        for request in (rejected, lapsed):
            control.decide(request.approval_id, "mara-lindt", "approved")
            assert control.run(request.run_id).status == "waiting"
        control.decide(rejected.approval_id, "eva-sol", "rejected", "paid back already")
        assert control.run(rejected.run_id).status == "ready"
        clock.advance(minutes=61)
        upkeep(control)
        assert control.run(lapsed.run_id).end_state == "expired_waiting"
        assert "refund" not in effects.read_text()


def test_a_rule_that_asks_one_person_leaves_the_hash_of_its_version(workspace: Workspace) -> None:
    with company(workspace) as control:
        before = control.registry()
        one, two = (freeze(text, text.agents["refund-agent"]) for text in (before, registry(*FOR_TWO)))
    assert "approvers_needed" not in one.canonical()
    assert one.version_hash() != two.version_hash()
    assert thaw(two.canonical()) == two


def test_the_page_says_one_of_two_and_asks_a_second_person(
    tmp_path: Path, effects: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    own = Workspace.create(tmp_path / "own")
    monkeypatch.setenv("FLEETBOOK_HOME", str(own.root))
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    with company(own, *TOOLS, *FOR_TWO) as control:
        parked(control, "jon-vass")
    for person_id, before, after in (
        ("mara-lindt", "0 of 2 approved", "1 of 2: the call waits for a second person."),
        ("eva-sol", "1 of 2 approved, by Mara Lindt", "The run is ready"),
    ):
        page = AppTest.from_file(repository / "app" / "streamlit_app.py", default_timeout=60)
        page.query_params["as"] = person_id
        page.run()
        page.switch_page("views/approvals.py").run()
        assert [tab.label for tab in page.tabs] == ["Approve", "Reject"]
        assert any(before in one.value for one in page.markdown)
        next(one for one in page.button if one.label == "Approve this call").click()
        page.run()
        assert not page.exception
        assert any(after in one.value for one in page.success)
    assert [one["person_id"] for one in told_of(own, "approval_decided")] == ["mara-lindt", "eva-sol"]
