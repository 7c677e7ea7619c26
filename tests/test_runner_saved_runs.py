"""Runs that earlier releases saved go on with this one, on another machine, to their end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ingest.events import TYPE_BY_NAME
from ingest.log.verify import verify
from ingest.workspace import Workspace
from runner.control import approvals
from runner.control.plane import Control
from runner.control.store import RUN_FAMILIES
from runner.control.tables import STORE_VERSION
from runner.control.upkeep import upkeep
from runner.worker import work_once
from tests.conftest import ROOT, Clock
from tests.runner_company import HASTY, events
from tests.saved_runs import CASES, SAVED_AT, restore

SAVED = ROOT / "tests" / "fixtures" / "saved_runs"
RELEASES = sorted(folder.name for folder in SAVED.iterdir())


@pytest.fixture
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the tools leave their effects from now on."""
    file = tmp_path / "effects.txt"
    file.touch()
    monkeypatch.setenv("EFFECTS_FILE", str(file))
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    return file


def later() -> Clock:
    """A quarter of an hour after the runs were saved: leases have run out, requests have not."""
    clock = Clock(SAVED_AT)
    clock.advance(minutes=15)
    return clock


def decide_what_waits(control: Control) -> None:
    with control.store.read() as connection:
        waiting = approvals.waiting(connection)
    for request in waiting:
        control.decide(request.approval_id, "mara-lindt", "approved", "the bank knows nothing of it")


def assert_told_in_full(workspace: Workspace, run_id: str) -> None:
    """One end, which declares as many events of the run as the log holds, each once; the log is whole."""
    told = [event for event in events(workspace, run_id) if _is_its_own(str(event["event_type"]))]
    (end,) = [event for event in told if event["event_type"] == "run_ended"]
    assert (end["end_state"], end["declared_event_count"]) == ("completed", len(told))
    asked = {event["call_index"] for event in told if event["event_type"] == "tool_call_requested"}
    ended = [event["call_index"] for event in told if event["event_type"] == "tool_call_finished"]
    assert sorted(ended) == sorted(asked)
    assert {finding.code for finding in verify(workspace).findings} <= {"checkpoint_missing"}


def _is_its_own(event_type: str) -> bool:
    return TYPE_BY_NAME[event_type].family in RUN_FAMILIES


def test_every_release_that_was_saved_has_every_case() -> None:
    assert RELEASES[-1] == f"store_{STORE_VERSION}"
    for release in RELEASES:
        assert {file.name for file in (SAVED / release).iterdir()} == {f"{case}.tar.gz" for case in CASES}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("case", "done"),
    [
        ("waiting_for_approval", ["refund W-2211 240"]),  # the lookup was done before it was saved
        ("queued", ["lookup W-2211", "refund W-2211 50"]),
        ("left_by_a_dead_worker", ["refund W-2211 50"]),  # read-only: done again
        ("unknown_outcome", ["refund W-2211 50"]),  # done again because a person said so
    ],
)
def test_a_saved_run_goes_on_to_its_end(
    release: str, case: str, done: list[str], effects: Path, tmp_path: Path
) -> None:
    workspace = restore(SAVED / release / f"{case}.tar.gz", tmp_path / "workspace")
    with Control(workspace, clock=later()) as control:
        upkeep(control)
        decide_what_waits(control)
        (outcome,) = work_once(control, pacing=HASTY)
        assert outcome.end_state == "completed"
    assert [" ".join(line.split()[:3]) for line in effects.read_text().splitlines()] == done
    assert_told_in_full(workspace, outcome.run_id)


@pytest.mark.parametrize("release", RELEASES)
def test_a_store_of_an_earlier_release_has_everything_that_a_new_one_has(
    release: str, effects: Path, tmp_path: Path
) -> None:
    def columns(root: Path) -> dict[str, set[str]]:
        with sqlite3.connect(root / "control.db") as store:
            names = store.execute("select name from sqlite_master where type = 'table'").fetchall()
            return {
                name: {row[1] for row in store.execute(f"pragma table_info({name})")} for (name,) in names
            }

    restored = restore(SAVED / release / "queued.tar.gz", tmp_path / "old")
    fresh = Workspace.create(tmp_path / "new")
    for workspace in (restored, fresh):
        Control(workspace, clock=later()).close()
    assert columns(restored.root) == columns(fresh.root)
