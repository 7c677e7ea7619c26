"""kill -9: nothing acknowledged is lost, nothing finished is done twice, the unknown waits for a person."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from ingest.contract import parse_body
from ingest.log.recover import recover as recover_log
from ingest.log.verify import verify
from ingest.workspace import Workspace
from runner.control import runs
from runner.control.plane import Control
from runner.control.recover import recover
from runner.control.runs import LEASE_LIFETIME
from runner.control.tables import approval_views, outbox
from runner.errors import LeaseLost
from tests.conftest import ROOT, Clock
from tests.runner_company import Command, company, events, fleetbook, play, resume, told

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


def terminal(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def killed_in_the_refund(workspace: Workspace) -> str:
    """A run whose process died inside the approved refund, after its effect; returns its id."""
    control = company(workspace, *TOOLS)
    (request,) = play(control, "refund-agent", "Refund W-2211, 240 USD").requests
    control.close()
    died = terminal("approve", request.approval_id, "--as", "mara-lindt", REFUND_DIES="1")
    assert died.returncode == -signal.SIGKILL
    return request.run_id


def test_a_call_that_was_cut_off_waits_for_a_person_and_is_not_repeated(
    workspace: Workspace, fleetbook: Command, effects: Path
) -> None:
    run_id = killed_in_the_refund(workspace)
    assert effects.read_text().splitlines() == ["lookup W-2211", f"refund W-2211 240 {run_id}:1"]
    code, out, _ = fleetbook("worker", "--once")
    assert (code, "waiting" in out) == (0, True)
    assert len(effects.read_text().splitlines()) == 2  # neither the lookup nor the refund again
    kinds = told(workspace, run_id)
    assert kinds[-3:] == ["run_resumed", "approval_requested", "run_paused"]
    assert kinds.count("approval_consumed") == 1
    assert events(workspace, run_id, "run_paused")[-1]["pause_reason"] == "unknown_outcome"
    assert events(workspace, run_id, "approval_requested")[-1]["approval_rule"] == "unknown-outcome"
    code, out, _ = fleetbook("approvals")
    assert "the call was started and has no result: did it take effect?" in out


def test_a_person_who_knows_it_did_not_happen_lets_it_run_again(
    workspace: Workspace, fleetbook: Command, effects: Path
) -> None:
    run_id = killed_in_the_refund(workspace)
    fleetbook("worker", "--once")
    with Control(workspace) as control:
        asked = events(workspace, run_id, "approval_requested")[-1]
        control.decide(str(asked["approval_id"]), "mara-lindt", "approved", "the bank knows nothing of it")
        assert resume(control, run_id).end_state == "completed"
    # The same key both times, so that the payment service can tell.
    refund = f"refund W-2211 240 {run_id}:1"
    assert effects.read_text().splitlines() == ["lookup W-2211", refund, refund]
    assert events(workspace, run_id, "tool_call_finished")[-1]["tool_outcome"] == "succeeded"


def test_a_person_who_says_no_leaves_the_outcome_unknown(
    workspace: Workspace, fleetbook: Command, effects: Path
) -> None:
    run_id = killed_in_the_refund(workspace)
    fleetbook("worker", "--once")
    with Control(workspace) as control:
        asked = events(workspace, run_id, "approval_requested")[-1]
        control.decide(str(asked["approval_id"]), "mara-lindt", "rejected", "the bank shows it as paid")
        outcome = resume(control, run_id)
    assert outcome.end_state == "completed"
    assert "the bank shows it as paid" in str(outcome.answer)
    finished = events(workspace, run_id, "tool_call_finished")[-1]
    assert finished["tool_outcome"] == "unknown"
    (end,) = events(workspace, run_id, "run_ended")
    assert end["declared_event_count"] == len(told(workspace, run_id))


def test_the_next_run_command_takes_up_what_was_left_behind(
    workspace: Workspace, fleetbook: Command, effects: Path
) -> None:
    run_id = killed_in_the_refund(workspace)
    code, out, _ = fleetbook("run", "triage-agent", "Sort the tickets", "--as", "jon-vass")
    assert code == 0
    assert f"Took up run {run_id}, left behind by a process that died:" in out
    assert "waits for a person" in out
    assert "Sorted 3 tickets" in out


def test_a_read_that_was_cut_off_is_simply_done_again(workspace: Workspace, effects: Path) -> None:
    control = company(workspace, *TOOLS, ("effect: consequential", "effect: read"))
    control.close()
    died = terminal("run", "refund-agent", "Refund W-2211, 50 USD", "--as", "jon-vass", REFUND_DIES="1")
    assert died.returncode == -signal.SIGKILL
    done = terminal("worker", "--once")
    assert (done.returncode, "completed" in done.stdout) == (0, True), done.stderr
    lines = effects.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["lookup", "refund", "refund"]


def test_events_are_relayed_exactly_once_whenever_relayers_are_killed(workspace: Workspace) -> None:
    company(workspace).close()
    subprocess.run(
        [sys.executable, "-m", "tests.runner_crash", str(workspace.root), "3", "8"],
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    with Control(workspace) as control:
        recover(control)
        with control.store.read() as connection:
            rows: list[str] = sorted(connection.execute(sa.select(approval_views.c.person_id)).scalars())
            assert connection.execute(sa.select(outbox)).all() == []
    recover_log(workspace)
    found = []
    for file in workspace.lake_dir.rglob("*.parquet"):
        for row in pq.read_table(file, columns=["body"]).to_pylist():
            event = parse_body(row["body"])
            if event["event_type"] == "signed_in":
                found.append(str(event["person_id"]))
    assert rows  # how many depends on the machine's load and on the engine
    assert sorted(found) == rows  # no state without its event, no event without its state, none twice
    assert {finding.code for finding in verify(workspace).findings} <= {"checkpoint_missing"}


def test_a_worker_that_lost_its_lease_changes_nothing_more(workspace: Workspace, clock: Clock) -> None:
    control = company(workspace, clock=clock)
    run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    slow, fast = Control(workspace, clock=clock), Control(workspace, clock=clock)
    with slow.store.write() as tx:
        assert runs.claim(tx, slow.run(run_id), slow.presence, "hash")
    with fast.store.write() as tx:
        assert not runs.claim(tx, fast.run(run_id), fast.presence, "hash")  # it lives and is in time
    clock.advance(seconds=LEASE_LIFETIME.total_seconds())
    with fast.store.write() as tx:
        assert runs.claim(tx, fast.run(run_id), fast.presence, "hash")
    with pytest.raises(LeaseLost), slow.store.write() as tx:
        runs.park(tx, slow.run(run_id), slow.presence.owner, "approval")
    with pytest.raises(LeaseLost), slow.store.write() as tx:
        runs.renew(tx, run_id, slow.presence.owner)
    fast.relay.flush()
    assert told(workspace, run_id) == ["run_requested", "run_started", "run_resumed"]
    for one in (control, slow, fast):
        one.close()


def test_a_dead_worker_on_this_machine_is_known_at_once(workspace: Workspace) -> None:
    control = company(workspace)
    run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    child = os.fork()
    if child == 0:
        dying = Control(workspace)
        with dying.store.write() as tx:
            runs.claim(tx, dying.run(run_id), dying.presence, "hash")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    left = control.run(run_id)
    assert left.status == "running"
    assert left.lease_until is not None
    assert left.lease_until > dt.datetime.now(dt.UTC)
    assert resume(control, run_id).end_state == "completed"
    assert events(workspace, run_id, "run_resumed")[0]["reason"] == "its worker died"
    control.close()


def test_a_restored_older_control_store_brings_no_event_twice(workspace: Workspace, clock: Clock) -> None:
    control = company(workspace, clock=clock)
    run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    with control.store.read() as connection:
        waiting = [row._asdict() for row in connection.execute(sa.select(outbox))]
    assert len(waiting) == 1
    control.relay.flush()
    # The backup is from before the relay: its row is unmarked, and the log has the event.
    with control.store.write() as tx:
        tx.sql.execute(sa.insert(outbox), waiting)
    clock.advance(hours=3)
    control.relay.flush()
    assert told(workspace, run_id) == ["run_requested"]
    recorded = [
        row
        for file in _closed(control).lake_dir.rglob("*.parquet")
        for row in pq.read_table(file, columns=["run_id"]).to_pylist()
        if row["run_id"] == run_id
    ]
    assert len(recorded) == 1


def _closed(control: Control) -> Workspace:
    control.close()
    return control.workspace
