"""Stopping: what is in hand halts within seconds, what waits ends, and nobody starts again unasked."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import requests, stops
from runner.control.plane import Control
from runner.control.tables import holds, wallets
from runner.errors import AccessRefused, NotFound, RunRefused
from tests.log_told import told_of
from tests.openai_stub import Answer, serving
from tests.runner_company import Command, company, events, fleetbook, play, resume, told
from tests.worker_process import until, worker

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]

TOOLS = (
    ("runner.agent.simulated_tools:lookup_order", "tests.runner_tools:lookup_order"),
    ("runner.agent.simulated_tools:refund_payment", "tests.runner_tools:refund_waits"),
)
ONLINE = (
    ("model: sim:triage", "model: openai-chat:small"),
    ('{model: "sim:*"', "{model: small"),
)


def test_what_waits_and_what_is_queued_ends_at_once_and_nothing_new_starts(workspace: Workspace) -> None:
    with company(workspace) as control:
        (request,) = play(control, "refund-agent", "Refund W-2211, 240 USD").requests
        queued = control.request_run("refund-agent", "Refund W-2212, 20 USD", "jon-vass")
        other = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
        order = stops.order_stop(control, "agent", "refund-agent", "mara-lindt", "odd refunds")
        for run_id in (request.run_id, queued):
            (end,) = events(workspace, run_id, "run_ended")
            assert (end["end_state"], end["stop_id"]) == ("cancelled", order.stop_id)
            assert end["reason"] == "mara-lindt stopped agent refund-agent: odd refunds"
        assert told(workspace, request.run_id)[-3:] == ["approval_expired", "tool_call_finished", "run_ended"]
        (call,) = [
            event
            for event in events(workspace, request.run_id, "tool_call_finished")
            if event["tool_name"] == "refund_payment"
        ]
        assert call["tool_outcome"] == "refused"
        with pytest.raises(RunRefused) as refused:
            control.request_run("refund-agent", "Refund W-2213, 20 USD", "jon-vass")
        assert refused.value.rule == "stopped"
        assert resume(control, other).end_state == "completed"  # another agent goes on
        stops.lift(control, "agent", "refund-agent", "priya-nair", "looked into")
        assert control.request_run("refund-agent", "Refund W-2213, 20 USD", "jon-vass")
        (lifted,) = told_of(workspace, "stop_lifted")
        assert (lifted["stop_id"], lifted["person_id"]) == (order.stop_id, "priya-nair")
        with pytest.raises(NotFound):
            stops.lift(control, "agent", "refund-agent", "priya-nair", "again")


def test_a_model_call_in_another_process_is_cancelled_and_charged_as_may_be_billed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, fleetbook: Command
) -> None:
    with serving(Answer(hang_s=60)) as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        with company(workspace, *ONLINE) as control:
            run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
        with worker() as process:
            until(lambda: len(stub.requests) == 1)
            code, out, _ = fleetbook(
                "stop", run_id, "--as", "mara-lindt", "--reason", "wrong task", "--drill"
            )
            assert (code, "halted after" in out) == (0, True), out
            assert process.poll() is None  # only the run halted
    (drill,) = told_of(workspace, "stop_drill")
    assert drill["run_id"] == run_id
    assert int(str(drill["halt_ns"])) < 15e9
    (turn,) = events(workspace, run_id, "turn_finished")
    assert (turn["error_type"], turn.get("list_cost_nano_usd")) == ("stopped", None)
    with Control(workspace) as control, control.store.read() as connection:
        assert connection.execute(sa.select(holds)).all() == []
        (team,) = connection.execute(sa.select(wallets).where(wallets.c.wallet_id == "team:support:month"))
        assert (team.held_nano_usd, team.spent_nano_usd) == (0, turn["hold_nano_usd"])
        assert set(connection.execute(sa.select(wallets.c.swept_nano_usd)).scalars()) == {0}


def test_a_call_that_has_begun_its_effect_may_come_back_before_the_run_halts(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = tmp_path / "effects.txt"
    effects.touch()
    monkeypatch.setenv("EFFECTS_FILE", str(effects))
    with company(workspace, *TOOLS) as control:
        run_id = control.request_run("refund-agent", "Refund W-2211, 50 USD", "jon-vass")

        def elsewhere() -> None:
            with Control(workspace) as other:
                resume(other, run_id)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        until(lambda: "refund" in effects.read_text())
        stops.order_stop(control, "run", run_id, "mara-lindt", "wrong customer")
        assert control.run(run_id).status == "running"
        Path(f"{effects}.go").touch()
        thread.join(60)
        last = events(workspace, run_id, "tool_call_finished")[-1]
        assert (last["tool_name"], last["tool_outcome"]) == ("refund_payment", "succeeded")
        assert told(workspace, run_id)[-1] == "run_ended"
        assert control.run(run_id).end_state == "cancelled"
        with control.store.read() as connection:
            assert stops.standing(connection) == []  # an order over one run is done with its end


def test_who_may_stop_what(workspace: Workspace) -> None:
    with company(
        workspace, ("view_metrics, read_payload, export_data]}\n  agent", "stop_run]}\n  agent")
    ) as control:
        run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
        for scope, target, person in [
            ("run", run_id, "eva-sol"),
            ("agent", "triage-agent", "otto-klein"),  # may stop_run, in another team
            ("company", "", "mara-lindt"),
            ("company", "", "priya-nair"),  # reaches all teams, and has no stop_run here
        ]:
            with pytest.raises(AccessRefused):
                stops.order_stop(control, scope, target, person, "no")  # type: ignore[arg-type]
        refused = told_of(workspace, "action_refused")
        assert [(event["person_id"], event["action"]) for event in refused] == [
            (person, "stop_run") for person in ("eva-sol", "otto-klein", "mara-lindt", "priya-nair")
        ]
        assert control.run(run_id).status == "queued"
        stops.order_stop(control, "run", run_id, "mara-lindt", "its owner may")
        assert control.run(run_id).end_state == "cancelled"


def test_everything_stops_after_a_confirmation_and_starts_again(
    workspace: Workspace, fleetbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = ("may: [run_agent, decide_approval, view_metrics, read_payload, export_data, apply_registry]",)
    with company(workspace, (lead[0], lead[0].replace("run_agent", "run_agent, stop_run"))) as control:
        run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    words = ("stop", "--all", "--as", "priya-nair", "--reason", "fire drill")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert fleetbook(*words)[0] == 1
    with Control(workspace) as control:
        assert control.run(run_id).status == "queued"
    code, out, _ = fleetbook(*words, "--yes")
    assert (code, run_id in out) == (0, True)
    assert "priya-nair stopped all agents: fire drill" in fleetbook("runs")[1]
    code, _, error = fleetbook("run", "triage-agent", "Sort the tickets", "--as", "jon-vass")
    assert (code, "rule stopped" in error) == (1, True)
    assert fleetbook("start", "--all", "--as", "priya-nair", "--reason", "over")[0] == 0
    assert fleetbook("run", "triage-agent", "Sort the tickets", "--as", "jon-vass")[0] == 0


def test_what_a_stopped_run_delegated_stops_with_it(workspace: Workspace) -> None:
    with company(workspace) as control:
        parent = control.run(control.request_run("triage-agent", "Sort the tickets", "jon-vass"))
        wish = requests.Wish(
            agent_id="refund-agent",
            task="Refund W-2211, 20 USD",
            person_id="jon-vass",
            trigger_kind="delegate",
            parent_run_id=parent.run_id,
        )
        with control.store.write() as tx:
            child = requests.admit(control, tx, wish).run.run_id
        assert control.run(child).parent_run_id == parent.run_id
        stops.order_stop(control, "run", parent.run_id, "mara-lindt", "wrong task")
        assert [control.run(one).end_state for one in (parent.run_id, child)] == ["cancelled", "cancelled"]


def test_a_drill_on_an_idle_agent_makes_a_run_and_lifts_itself(
    workspace: Workspace, fleetbook: Command
) -> None:
    company(workspace).close()
    words = ("stop", "refund-agent", "--as", "mara-lindt", "--reason", "quarterly drill", "--drill")
    code, out, _ = fleetbook(*words)
    assert (code, "was made for the drill" in out) == (0, True), out
    (ordered,) = told_of(workspace, "stop_ordered")
    (drill,) = told_of(workspace, "stop_drill")
    assert (ordered["is_drill"], drill["stop_id"]) == (True, ordered["stop_id"])
    assert fleetbook("run", "refund-agent", "Refund W-2211, 20 USD", "--as", "jon-vass")[0] == 0
