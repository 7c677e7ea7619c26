"""The worker as a service: told to end it lets go in order, and what it lets go of is taken over."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator

import pytest

from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.workers import SILENCE, Beat, beat, seen
from tests.conftest import Clock
from tests.openai_stub import Answer, Stub, says, serving
from tests.runner_company import Command, company, events, fleetbook, play, told
from tests.worker_process import until, worker

__all__ = ["fleetbook"]

ONLINE = (("model: sim:triage", "model: openai-chat:small"), ('{model: "sim:*"', "{model: small"))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A model that does not answer the first call, and answers the second."""
    with serving(Answer(hang_s=60), says("Done.")) as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield stub


def test_a_worker_that_has_to_go_now_gives_its_runs_back_and_another_takes_them_over(
    workspace: Workspace, endpoint: Stub, fleetbook: Command
) -> None:
    with company(workspace, *ONLINE) as control:
        run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    with worker() as process:
        until(lambda: len(endpoint.requests) == 1)
        until(lambda: "working · 1 run in hand" in fleetbook("worker", "--status")[1])
        process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in fleetbook("worker", "--status")[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert "to take up: 1." in process.stdout.read()
    assert "No worker is at work." in fleetbook("worker", "--status")[1]
    with Control(workspace) as control:
        left = control.run(run_id)
        assert left.status == "running"
        assert left.lease_until is not None
        assert left.lease_until <= dt.datetime.now(dt.UTC)  # another machine need not wait either
    assert f"run {run_id}: completed" in fleetbook("worker", "--drain")[1]
    assert told(workspace, run_id).count("run_resumed") == 1
    first = events(workspace, run_id, "turn_finished")[0]
    assert first["error_type"] == "interrupted"


def test_a_worker_lets_runs_end_within_its_grace(
    workspace: Workspace, endpoint: Stub, fleetbook: Command
) -> None:
    with company(workspace, *ONLINE) as control:
        run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    with worker("--grace", "0.5") as process:
        until(lambda: len(endpoint.requests) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    with Control(workspace) as control:
        assert control.run(run_id).status == "running"


def test_a_drain_plays_everything_that_can_go_on_and_ends(workspace: Workspace, fleetbook: Command) -> None:
    with company(workspace) as control:
        ids = [control.request_run("triage-agent", "Sort the tickets", "jon-vass") for _ in range(3)]
        (request,) = play(control, "refund-agent", "Refund W-2211, 240 USD").requests
    code, out, _ = fleetbook("worker", "--drain")
    assert (code, out.count("completed")) == (0, 3)
    with Control(workspace) as control:
        assert {control.run(one).end_state for one in ids} == {"completed"}
        assert control.run(request.run_id).status == "waiting"


def test_a_worker_that_is_silent_for_long_counts_as_gone(workspace: Workspace, clock: Clock) -> None:
    with company(workspace, clock=clock) as control, Control(workspace, clock=clock) as other:
        beat(control, Beat(status="working", playing_count=2, played_count=5))
        (one,) = seen(other)
        assert (one.playing_count, one.played_count, one.is_gone) == (2, 5, False)
        clock.advance(seconds=SILENCE.total_seconds() + 1)
        assert seen(other)[0].is_gone
        beat(control, Beat(status="working", playing_count=0, played_count=7))
        assert [(one.played_count, one.is_gone) for one in seen(other)] == [(7, False)]


def test_a_worker_may_be_there_before_the_first_registry(workspace: Workspace, fleetbook: Command) -> None:
    code, out, error = fleetbook("worker", "--once")
    assert (code, out, error) == (0, "", "")
