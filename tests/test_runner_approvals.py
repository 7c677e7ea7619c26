"""Approvals: a gated call waits as data, is decided once by who may, and its decision is used once."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.reader import payload_texts
from ingest.workspace import Workspace
from runner.control import approvals, recover
from runner.control.approvals import Request
from runner.control.plane import Control
from runner.control.tables import runs
from runner.errors import DecisionRefused, NotFound
from tests.conftest import Clock
from tests.runner_company import company, events, fleetbook, play, registry, resume, told

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


def parked(control: Control, task: str = "Refund W-2211, 240 USD", person: str = "jon-vass") -> Request:
    """A run that waits for the approval of its refund."""
    outcome = play(control, "refund-agent", task, person)
    assert (outcome.status, outcome.reason) == ("waiting", "approval")
    (request,) = outcome.requests
    return request


def test_a_gated_call_waits_is_approved_and_executed_once(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    assert refunds(effects) == []
    assert request.money_at_stake_nano_usd == 240_000_000_000
    control.decide(request.approval_id, "mara-lindt", "approved", "checked with the customer")
    outcome = resume(control, request.run_id)
    assert outcome.end_state == "completed"
    assert refunds(effects) == [f"refund W-2211 240 {request.run_id}:1"]
    assert told(workspace, request.run_id) == [
        "run_requested",
        "run_started",
        "turn_requested",
        "turn_finished",
        "tool_call_requested",
        "tool_call_finished",
        "turn_requested",
        "turn_finished",
        "tool_call_requested",
        "approval_requested",
        "run_paused",
        "approval_decided",
        "run_resumed",
        "approval_consumed",
        "tool_call_finished",
        "turn_requested",
        "turn_finished",
        "run_ended",
    ]
    (end,) = events(workspace, request.run_id, "run_ended")
    assert end["declared_event_count"] == 18
    (finished,) = events(workspace, request.run_id, "tool_call_finished")[1:]
    assert finished["approval_id"] == request.approval_id
    assert finished["arguments_digest"] == request.arguments_digest
    control.close()


def test_a_call_below_the_rule_runs_without_a_person(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    outcome = play(control, "refund-agent", "Refund W-2211, 100 USD")
    assert outcome.end_state == "completed"
    assert len(refunds(effects)) == 1
    control.close()


def test_a_rejection_reaches_the_model_with_its_reason(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    control.decide(request.approval_id, "mara-lindt", "rejected", "paid back on Monday already")
    outcome = resume(control, request.run_id)
    assert outcome.end_state == "completed"
    assert "mara-lindt rejected the call: paid back on Monday already" in str(outcome.answer)
    assert refunds(effects) == []
    (finished,) = events(workspace, request.run_id, "tool_call_finished")[1:]
    assert (finished["tool_outcome"], finished["refusal_rule"], finished["reason"]) == (
        "denied",
        "refund-over-100",
        "paid back on Monday already",
    )
    control.close()


def test_changed_arguments_are_executed_and_both_versions_are_kept(
    workspace: Workspace, effects: Path
) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    changed = {"order_id": "W-2211", "amount_usd": "150.00"}
    control.decide(request.approval_id, "mara-lindt", "approved_changed", "only the goods", changed)
    resume(control, request.run_id)
    assert refunds(effects) == [f"refund W-2211 150.00 {request.run_id}:1"]
    (asked,) = events(workspace, request.run_id, "approval_requested")
    (decided,) = events(workspace, request.run_id, "approval_decided")
    (consumed,) = events(workspace, request.run_id, "approval_consumed")
    assert decided["arguments_digest"] == asked["arguments_digest"] == request.arguments_digest
    assert decided["approved_digest"] == consumed["arguments_digest"] != request.arguments_digest
    texts = payload_texts(workspace, [str(asked["payload_id"]), str(decided["payload_id"])])
    assert '"amount_usd":"240"' in str(texts[str(asked["payload_id"])])
    assert '"amount_usd":"150.00"' in str(texts[str(decided["payload_id"])])
    control.close()


@pytest.mark.parametrize(
    ("person", "decision", "reason", "changed", "rule"),
    [
        ("jon-vass", "approved", "", None, "role:agent_user"),
        ("otto-klein", "approved", "", None, "scope:team"),
        ("li-chen", "approved", "", None, "role:analyst"),
        ("priya-nair", "approved", "", None, "author-is-approver"),
        ("mara-lindt", "rejected", " ", None, "reason-missing"),
        ("mara-lindt", "maybe", "", None, "not-a-decision"),
        ("mara-lindt", "approved_changed", "", {"order_id": "W-1"}, "arguments-invalid"),
        ("mara-lindt", "approved_changed", "", {"order_id": "W-1", "amount_usd": -1}, "arguments-invalid"),
        ("mara-lindt", "approved_changed", "", None, "arguments-invalid"),
    ],
)
def test_who_may_not_decide_is_refused_with_the_rule_and_an_event(
    workspace: Workspace,
    effects: Path,
    person: str,
    decision: str,
    reason: str,
    changed: dict[str, object] | None,
    rule: str,
) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    with pytest.raises(DecisionRefused) as refused:
        control.decide(request.approval_id, person, decision, reason, changed)
    assert refused.value.rule == rule
    (event,) = events(workspace, request.run_id, "action_refused")
    assert (event["person_id"], event["refusal_rule"]) == (person, rule)
    assert control.run(request.run_id).status == "waiting"
    assert refunds(effects) == []
    control.close()


def test_the_requester_may_not_decide_where_the_rule_says_so(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control, person="mara-lindt")
    with pytest.raises(DecisionRefused) as refused:
        control.decide(request.approval_id, "mara-lindt", "approved")
    assert refused.value.rule == "requester-is-approver"
    control.close()


def test_the_requester_decides_where_the_rule_allows_it(workspace: Workspace, effects: Path) -> None:
    rule = ("expires_minutes: 60", "expires_minutes: 60\n          other_than_requester: false")
    limited = ("class: high, reasons: [moves_money]", "class: limited, reasons: [moves_money]")
    control = company(workspace, *TOOLS, rule, limited)
    request = parked(control, person="mara-lindt")
    control.decide(request.approval_id, "mara-lindt", "approved")
    assert resume(control, request.run_id).end_state == "completed"
    control.close()


def test_in_a_high_risk_agent_the_requester_never_decides_unless_the_company_says_so(
    workspace: Workspace, effects: Path
) -> None:
    rule = ("expires_minutes: 60", "expires_minutes: 60\n          other_than_requester: false")
    control = company(workspace, *TOOLS, rule)
    request = parked(control, person="mara-lindt")
    with pytest.raises(DecisionRefused) as refused:
        control.decide(request.approval_id, "mara-lindt", "approved")
    assert refused.value.rule == "requester-is-approver"
    assert "the agent's risk class is high" in refused.value.reason
    mild = ("oversight: {", "oversight: {requester_never_decides: [], ")
    control.apply(registry(*TOOLS, rule, mild))
    control.decide(request.approval_id, "mara-lindt", "approved")
    control.close()


def test_a_request_is_decided_once(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    control.decide(request.approval_id, "mara-lindt", "approved")
    with pytest.raises(DecisionRefused) as refused:
        control.decide(request.approval_id, "mara-lindt", "rejected", "no")
    assert refused.value.rule == "already-decided"
    with pytest.raises(NotFound):
        control.decide("ap-none", "mara-lindt", "approved")
    control.close()


def test_nobody_in_time_counts_as_refused_and_ends_the_run(
    workspace: Workspace, effects: Path, clock: Clock
) -> None:
    control = company(workspace, *TOOLS, clock=clock)
    request = parked(control)
    clock.advance(minutes=60)
    with pytest.raises(DecisionRefused) as refused:
        control.decide(request.approval_id, "mara-lindt", "approved")
    assert refused.value.rule == "expired"
    assert recover.lapse_requests(control) == 1
    control.relay.flush()
    assert told(workspace, request.run_id)[-3:] == ["approval_expired", "tool_call_finished", "run_ended"]
    (end,) = events(workspace, request.run_id, "run_ended")
    assert end["end_state"] == "expired_waiting"
    family = [kind for kind in told(workspace, request.run_id) if kind != "action_refused"]
    assert end["declared_event_count"] == len(family)
    assert events(workspace, request.run_id, "tool_call_finished")[-1]["tool_outcome"] == "denied"
    assert refunds(effects) == []
    control.close()


def test_an_approval_is_not_used_for_arguments_that_were_changed_in_the_store(
    workspace: Workspace, effects: Path
) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    control.decide(request.approval_id, "mara-lindt", "approved")
    history = str(control.run(request.run_id).messages)
    assert '\\"amount_usd\\": \\"240\\"' in history
    tampered = history.replace('\\"amount_usd\\": \\"240\\"', '\\"amount_usd\\": \\"999999\\"')
    with control.store.write() as tx:
        tx.sql.execute(sa.update(runs).where(runs.c.run_id == request.run_id), {"messages": tampered})
    resume(control, request.run_id)
    assert refunds(effects) == []
    finished = events(workspace, request.run_id, "tool_call_finished")[-1]
    assert (finished["tool_outcome"], finished["refusal_rule"]) == ("refused", "arguments-changed")
    control.close()


def test_a_saved_run_that_is_played_again_does_not_execute_again(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    control.decide(request.approval_id, "mara-lindt", "approved")
    with control.store.read() as connection:
        before = connection.execute(sa.select(runs).where(runs.c.run_id == request.run_id)).one()._asdict()
    resume(control, request.run_id)
    # Somebody puts the run back to where it was before the approval was used.
    with control.store.write() as tx:
        tx.sql.execute(sa.update(runs).where(runs.c.run_id == request.run_id), before)
        call = {"run_id": request.run_id, "call_index": 1, "turn_index": 1, "tool_call_id": "call_1_0"}
        rest = {"tool_name": "refund_payment", "tool_effect": "consequential", "state": "requested"}
        values = {"arguments": request.arguments, "arguments_digest": request.arguments_digest}
        tx.sql.execute(sa.text(_PUT_CALL), {**call, **rest, **values})
    outcome = resume(control, request.run_id)
    assert outcome.status == "waiting"  # the used approval counts for nothing: it asks anew
    assert len(refunds(effects)) == 1
    control.close()


_PUT_CALL = """
insert into tool_calls (run_id, call_index, turn_index, tool_call_id, tool_name, tool_effect, arguments,
                        arguments_digest, state)
values (:run_id, :call_index, :turn_index, :tool_call_id, :tool_name, :tool_effect, :arguments,
        :arguments_digest, :state)
"""


def test_a_request_shown_is_told_once_per_person(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS)
    request = parked(control)
    for person in ("mara-lindt", "mara-lindt", "priya-nair"):
        control.shown(request.approval_id, person)
    control.relay.flush()
    shown = events(workspace, request.run_id, "approval_shown")
    assert [event["person_id"] for event in shown] == ["mara-lindt", "priya-nair"]
    control.close()


def test_two_gated_calls_wait_until_both_are_decided(workspace: Workspace, effects: Path) -> None:
    control = company(
        workspace,
        (
            "{tool: classify_ticket}",
            "{tool: classify_ticket, approval: {id: ask, approver_role: team_manager}}",
        ),
    )
    outcome = play(control, "triage-agent", "Sort the tickets")
    assert len(outcome.requests) == 3
    first, second, third = (request.approval_id for request in outcome.requests)
    control.decide(first, "mara-lindt", "approved")
    control.decide(second, "mara-lindt", "rejected", "that one is mine")
    assert control.run(outcome.run_id).status == "waiting"
    control.decide(third, "mara-lindt", "approved")
    assert control.run(outcome.run_id).status == "ready"
    assert resume(control, outcome.run_id).end_state == "completed"
    ends = [event["tool_outcome"] for event in events(workspace, outcome.run_id, "tool_call_finished")]
    assert ends == ["succeeded", "succeeded", "denied", "succeeded"]
    with control.store.read() as connection:
        statuses = [one.status for one in approvals.of_run(connection, outcome.run_id)]
    assert sorted(statuses) == ["approved", "approved", "rejected"]
    control.close()
