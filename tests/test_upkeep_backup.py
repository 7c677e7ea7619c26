"""Backups and restores: what was acknowledged comes back, damage is named, work goes on meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ingest.importers import quarantine
from ingest.log.disk import file_sha256
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from runner.control import approvals
from runner.control.plane import Control
from tests.log_events import started, write_runs
from tests.runner_company import Command, company, fleetbook, play, resume, told

__all__ = ["fleetbook"]

TASK = "Refund order 4711, 240 USD, damaged"


def newest(place: Path) -> Path:
    return max(path for path in place.iterdir() if not path.name.startswith("."))


def restored(command: Command, place: Path, target: Path) -> Workspace:
    code, out, err = command("restore", str(newest(place)), str(target))
    assert code == 0, out + err
    assert "The log is whole." in out
    return Workspace.open(target)


def test_a_parked_run_is_backed_up_and_ends_in_the_restored_workspace(
    workspace: Workspace, tmp_path: Path, fleetbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company(workspace) as control:
        outcome = play(control, "refund-agent", TASK)
        assert outcome.status == "waiting"
        code, out, _ = fleetbook("backup", str(tmp_path / "backups"))
        assert code == 0
        assert "notary.key" not in out  # nothing was signed, so no key is there
    copy = restored(fleetbook, tmp_path / "backups", tmp_path / "copy")
    assert told(copy, outcome.run_id) == told(workspace, outcome.run_id)
    monkeypatch.setenv("FLEETBOOK_HOME", str(copy.root))
    with Control(copy) as control:
        with control.store.read() as connection:
            (request,) = approvals.waiting(connection)
        control.decide(request.approval_id, "mara-lindt", "approved")
        assert resume(control, outcome.run_id).end_state == "completed"
    assert told(copy, outcome.run_id)[-1] == "run_ended"
    assert {finding.code for finding in verify(copy, 2).findings} == {"checkpoint_missing"}


def test_what_a_writer_acknowledged_before_the_backup_is_in_it_though_it_writes_on(
    workspace: Workspace, tmp_path: Path, fleetbook: Command
) -> None:
    done = threading.Event()
    acknowledged: list[int] = []

    def write() -> None:
        with LogWriter(workspace, recorded_via="runner", process_name="busy", seal_bytes=20_000) as writer:
            while not done.is_set():
                writer.append([started("busy-run", len(acknowledged))])
                acknowledged.append(len(acknowledged))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        while len(acknowledged) < 60:
            assert writing.is_alive()
        before = len(acknowledged)
        assert fleetbook("backup", str(tmp_path / "backups"))[0] == 0
        after = len(acknowledged)
    finally:
        done.set()
        writing.join()
    copy = restored(fleetbook, tmp_path / "backups", tmp_path / "copy")
    found = [event for event in run_events(copy, "busy-run") if event["event_type"] == "run_started"]
    assert before <= len(found) <= after
    assert [event["event_id"] for event in found] == [
        event["event_id"] for event in run_events(workspace, "busy-run")[: len(found)]
    ]


def test_texts_and_the_files_around_the_log_come_back(
    workspace: Workspace, tmp_path: Path, fleetbook: Command
) -> None:
    write_runs(workspace, "run-a", 6, payload_every=2)
    workspace.registry_file.write_text("company: {name: Northwind}\n", encoding="utf-8")
    (workspace.root / "content.key").write_text("secret", encoding="utf-8")
    (workspace.root / "content.key").chmod(0o600)
    assert fleetbook("notarise")[0] == 0
    code, out, _ = fleetbook("backup", str(tmp_path / "backups"))
    assert code == 0
    assert "Left out: notary.key" in out
    copy = restored(fleetbook, tmp_path / "backups", tmp_path / "copy")
    ids = [str(event["payload_id"]) for event in run_events(copy, "run-a") if event.get("payload_id")]
    assert sorted(map(str, payload_texts(copy, ids).values())) == [f"text {n} of run-a" for n in (0, 2, 4)]
    assert copy.registry_file.read_text(encoding="utf-8") == "company: {name: Northwind}\n"
    assert (copy.root / "content.key").stat().st_mode & 0o777 == 0o600
    assert not (copy.checkpoint_dir / "notary.key").exists()
    (checkpoint,) = copy.checkpoint_dir.glob("*.checkpoint")
    assert verify(copy, 3, against=(checkpoint,)).ok


def test_a_second_backup_links_what_did_not_change_and_old_ones_go(
    workspace: Workspace, tmp_path: Path, fleetbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.upkeep.backup import back_up, backups
    from ingest.log.writer import utc_now

    write_runs(workspace, "run-a", 40, seal_bytes=6_000)
    place = tmp_path / "backups"
    first = back_up(workspace, place, utc_now().replace(year=2024))
    write_runs(workspace, "run-b", 3)
    second = back_up(workspace, place, utc_now().replace(year=2025))
    sealed = next(iter(first.folder.rglob("*.parquet"))).relative_to(first.folder)
    assert (first.folder / sealed).samefile(second.folder / sealed)
    assert second.copied_bytes < first.copied_bytes
    third = back_up(workspace, place, utc_now(), keep=2)
    assert backups(place) == [second.folder, third.folder]
    copy = restored(fleetbook, place, tmp_path / "copy")  # linked files outlive the backup they came from
    assert len(run_events(copy, "run-a")) == 40
    assert len(run_events(copy, "run-b")) == 3


def test_a_damaged_log_is_backed_up_as_it_is_and_said(
    workspace: Workspace, tmp_path: Path, fleetbook: Command
) -> None:
    write_runs(workspace, "run-a", 6)
    (sealed,) = workspace.lake_dir.rglob("*.parquet")
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 1
    sealed.write_bytes(content)
    code, out, err = fleetbook("backup", str(tmp_path / "backups"))
    assert code == 1
    assert f"Damaged in the workspace: lake/{sealed.relative_to(workspace.lake_dir)}" in err
    code, out, err = fleetbook("restore", str(newest(tmp_path / "backups")), str(tmp_path / "copy"))
    assert code in (1, 2)
    assert "not whole" in out or "cannot be read" in err


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_a_backup_that_is_not_what_it_was_is_refused(
    workspace: Workspace, tmp_path: Path, fleetbook: Command, harm: str
) -> None:
    write_runs(workspace, "run-a", 6)
    assert fleetbook("backup", str(tmp_path / "backups"))[0] == 0
    (sealed,) = newest(tmp_path / "backups").rglob("*.parquet")
    if harm == "missing":
        sealed.unlink()
    else:
        sealed.write_bytes(sealed.read_bytes()[:-1] + b"x")
    code, _, err = fleetbook("restore", str(newest(tmp_path / "backups")), str(tmp_path / "copy"))
    assert code == 2
    assert sealed.name in err
    assert not (tmp_path / "copy" / "workspace.json").exists()


def test_places_that_will_not_do_are_refused(
    workspace: Workspace, tmp_path: Path, fleetbook: Command
) -> None:
    code, _, err = fleetbook("backup", str(workspace.root / "backups"))
    assert (code, "lies in the workspace" in err) == (2, True)
    assert fleetbook("backup", str(tmp_path / "backups"))[0] == 0
    code, _, err = fleetbook("restore", str(newest(tmp_path / "backups")), str(workspace.root))
    assert (code, "is not empty" in err) == (2, True)
    code, _, err = fleetbook("restore", str(tmp_path), str(tmp_path / "copy"))
    assert (code, "No backup" in err) == (2, True)


def test_an_interrupted_backup_is_no_backup_and_the_next_one_clears_it(
    workspace: Workspace, tmp_path: Path, fleetbook: Command
) -> None:
    write_runs(workspace, "run-a", 6)
    half = tmp_path / "backups" / ".making"
    half.mkdir(parents=True)
    (half / "backup.json").write_text("{", encoding="utf-8")
    assert fleetbook("backup", str(tmp_path / "backups"))[0] == 0
    assert not half.exists()
    copy = restored(fleetbook, tmp_path / "backups", tmp_path / "copy")
    assert file_sha256(copy.manifest_file) == file_sha256(workspace.manifest_file)
    assert quarantine.count(copy) == 0
