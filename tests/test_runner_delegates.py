"""Delegates: a run for the same person, by every rule; its parent waits as data and gets the answer."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.tables import wallets
from runner.worker import work_once
from tests.runner_company import HASTY, Command, company, events, fleetbook, play, registry, resume, told
from tests.test_runner_crash import effects, terminal

__all__ = ["effects", "fleetbook"]

pytestmark = pytest.mark.both_engines

DELEGATES = (
    """\
    tools: [{tool: search_tickets}, {tool: classify_ticket}]
    status: live
""",
    """\
    tools: [{tool: search_tickets}, {tool: classify_ticket}]
    status: live
  desk-agent:
    name: Desk agent
    team: support
    owner: mara-lindt
    purpose: Takes requests and hands them on.
    risk: {class: limited}
    model: sim:errands
    instructions: You hand requests on.
    delegates: [triage-agent, refund-agent]
    status: live
""",
)


def ask(agent_id: str, task: str) -> str:
    """The line with which the simulated model asks a delegate."""
    return f"ask_{agent_id} {json.dumps({'task': task})}"


def child_of(workspace: Workspace, run_id: str) -> str:
    """The run that the latest ended call of a delegate started."""
    return str(events(workspace, run_id, "tool_call_finished")[-1]["delegate_run_id"])


def test_a_delegate_runs_for_the_same_person_and_its_answer_reaches_the_parent(workspace: Workspace) -> None:
    control = company(workspace, DELEGATES)
    outcome = play(control, "desk-agent", ask("triage-agent", "Sort the tickets"))
    assert outcome.end_state == "completed"
    assert "Sorted 3 tickets" in str(outcome.answer)
    child_id = child_of(workspace, outcome.run_id)
    (asked,) = events(workspace, child_id, "run_requested")
    assert (asked["parent_run_id"], asked["actor_id"], asked["trigger_kind"]) == (
        outcome.run_id,
        "jon-vass",
        "delegate",
    )
    kinds = told(workspace, outcome.run_id)
    assert kinds[4:9] == [
        "tool_call_requested",
        "run_paused",
        "tool_call_finished",
        "run_resumed",
        "turn_requested",
    ]
    (paused,) = events(workspace, outcome.run_id, "run_paused")
    (resumed,) = events(workspace, outcome.run_id, "run_resumed")
    assert (paused["pause_reason"], resumed["reason"]) == ("delegate", "its delegates ended")
    for run_id in (outcome.run_id, child_id):
        (end,) = events(workspace, run_id, "run_ended")
        assert end["declared_event_count"] == len(told(workspace, run_id))
    control.close()


def test_two_delegates_of_one_turn_run_and_the_parent_goes_on_once_both_have_ended(
    workspace: Workspace,
) -> None:
    control = company(workspace, DELEGATES)
    task = "\n".join([ask("triage-agent", "Sort the tickets"), ask("refund-agent", "Refund W-2211, 50 USD")])
    outcome = play(control, "desk-agent", task)
    assert outcome.end_state == "completed"
    assert "Sorted 3 tickets" in str(outcome.answer)
    assert "refunded" in str(outcome.answer).lower()
    assert told(workspace, outcome.run_id).count("run_paused") == 1
    control.close()


def test_a_delegate_that_waits_for_a_person_parks_its_parent_until_another_process_resumes_both(
    workspace: Workspace, fleetbook: Command
) -> None:
    control = company(workspace, DELEGATES)
    outcome = play(control, "desk-agent", ask("refund-agent", "Refund W-2211, 240 USD"))
    assert (outcome.status, outcome.reason) == ("waiting", "delegate")
    control.close()
    code, out, _ = fleetbook("runs")
    assert f"delegated by {outcome.run_id}" in out
    assert "waiting (delegate)" in out
    with Control(workspace) as other, other.store.read() as connection:
        from runner.control import approvals

        (request,) = approvals.waiting(connection)
    assert (request.agent_id, request.requested_by) == ("refund-agent", "jon-vass")
    code, out, error = fleetbook("approve", request.approval_id, "--as", "mara-lindt")
    assert code == 0, error
    assert f"Resuming run {outcome.run_id}, which waited for it." in out
    with Control(workspace) as other:
        assert other.run(outcome.run_id).end_state == "completed"
    (answer,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (answer["tool_outcome"], answer["delegate_run_id"]) == ("succeeded", request.run_id)


def test_a_delegate_that_was_killed_is_taken_up_and_its_parent_gets_its_answer(
    workspace: Workspace, effects: Path
) -> None:
    functions = [
        (f"runner.agent.simulated_tools:{name}", f"tests.runner_tools:{name}")
        for name in ("lookup_order", "refund_payment")
    ]
    company(workspace, DELEGATES, *functions, ("effect: consequential", "effect: read")).close()
    died = terminal(
        "run",
        "desk-agent",
        ask("refund-agent", "Refund W-2211, 50 USD"),
        "--as",
        "jon-vass",
        REFUND_DIES="1",
    )
    assert died.returncode == -signal.SIGKILL
    with Control(workspace) as control:
        ended = {outcome.run_id: outcome for outcome in work_once(control, pacing=HASTY)}
        ended |= {outcome.run_id: outcome for outcome in work_once(control, pacing=HASTY)}
        parents = [one for run_id, one in ended.items() if control.run(run_id).parent_run_id is None]
    assert [one.end_state for one in parents] == ["completed"]
    assert len(events(workspace, parents[0].run_id, "tool_call_requested")) == 1
    lines = effects.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["lookup", "refund", "refund"]  # one delegated run, no more


@pytest.mark.parametrize(
    ("status", "words"), [("suspended", "agent triage-agent is suspended"), ("retired", "is retired")]
)
def test_a_delegate_that_may_not_start_is_refused_with_its_reason(
    workspace: Workspace, status: str, words: str
) -> None:
    control = company(workspace, DELEGATES)
    control.decide_status("triage-agent", status, "priya-nair", "sorted wrongly all week")  # type: ignore[arg-type]  # a word of the parameters
    outcome = play(control, "desk-agent", ask("triage-agent", "Sort the tickets"))
    assert outcome.end_state == "completed"
    assert words in str(outcome.answer)
    assert "sorted wrongly all week" in str(outcome.answer)
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", f"status:{status}")
    control.close()


def test_the_person_needs_access_to_the_delegate_as_well(workspace: Workspace) -> None:
    only_desk = (
        "  - {id: users-run-support, role: agent_user, action: run_agent, team: support}\n",
        "  - {id: users-run-desk, role: agent_user, action: run_agent, agent: desk-agent}\n",
    )
    control = company(workspace, DELEGATES, only_desk)
    outcome = play(control, "desk-agent", ask("triage-agent", "Sort the tickets"))
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", "default-deny")
    assert "no grant lets role agent_user run agent triage-agent" in str(outcome.answer)
    control.close()


def test_agents_that_delegate_in_a_circle_are_stopped_at_the_second_round(workspace: Workspace) -> None:
    control = company(
        workspace, DELEGATES, ("delegates: [triage-agent, refund-agent]", "delegates: [desk-agent]")
    )
    outcome = play(control, "desk-agent", ask("desk-agent", "Again"))
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", "delegate-cycle")
    assert "desk-agent → desk-agent" in str(outcome.answer)
    control.close()


def test_a_chain_of_delegates_ends_at_its_depth(workspace: Workspace) -> None:
    head, tail = DELEGATES[1].split("  desk-agent:\n")
    names = [f"desk-{number}" for number in range(1, 7)]
    chain = "".join(
        f"  {name}:\n{tail}".replace("[triage-agent, refund-agent]", f"[{follower}]")
        for name, follower in zip(names, [*names[1:], "triage-agent"], strict=True)
    )
    control = company(workspace, (DELEGATES[0], head + chain))
    task = "Sort the tickets"
    for name in ["triage-agent", *reversed(names[1:])]:
        task = ask(name, task)
    outcome = play(control, "desk-1", task)
    assert outcome.end_state == "completed"
    assert "5 agents are delegating already" in str(outcome.answer)
    control.close()


def test_a_delegate_that_fails_is_a_failed_call_of_its_parent(workspace: Workspace) -> None:
    one_turn = ("    model: sim:triage\n", "    model: sim:triage\n    max_turns: 1\n")
    control = company(workspace, DELEGATES, one_turn)
    outcome = play(control, "desk-agent", ask("triage-agent", "Sort the tickets"))
    assert outcome.end_state == "completed"
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["tool_error_class"], end["error_type"]) == (
        "failed",
        "upstream",
        "failed",
    )
    assert "Agent triage-agent did not complete the task" in str(outcome.answer)
    control.close()


def test_a_high_risk_agent_has_nothing_done_by_others_that_it_may_not_do_itself(workspace: Workspace) -> None:
    high = ("risk: {class: limited}\n    model: sim:errands", "risk: {class: high}\n    model: sim:errands")
    delegates = (DELEGATES[0], DELEGATES[1].replace(*high))
    control = company(workspace, delegates)
    run_id = control.request_run("desk-agent", ask("triage-agent", "Sort the tickets"), "jon-vass")
    # At its start nothing was open; by the time it asks, its delegate may pay without anybody's approval.
    open_tool = ("{tool: classify_ticket}]", "{tool: classify_ticket}, {tool: refund_payment}]")
    control.apply(registry((DELEGATES[0], delegates[1].replace(*open_tool))))
    outcome = resume(control, run_id)
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", "risk:ungated-delegate")
    control.close()


def test_what_a_delegate_spends_is_inside_the_wallets_of_its_parent(workspace: Workspace) -> None:
    wallet = ("budgets:\n", 'budgets:\n  - {wallet: "run:desk-agent", window: total, cap_usd: "0.10"}\n')
    control = company(workspace, DELEGATES, wallet)
    outcome = play(control, "desk-agent", ask("triage-agent", "Sort the tickets"))
    assert outcome.end_state == "completed"
    spent = [control.run(one).spent_nano_usd for one in (outcome.run_id, child_of(workspace, outcome.run_id))]
    this = wallets.c.wallet_id == f"run:{outcome.run_id}:total"
    with control.store.read() as connection:
        found = connection.execute(sa.select(wallets.c.spent_nano_usd).where(this)).scalar_one()
    assert min(spent) > 0
    assert found == sum(spent)
    control.close()
