"""Crashes: what was acknowledged survives, nothing is there twice, and what was torn is named."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from ingest.errors import SegmentError
from ingest.log.recover import RecoverReport, recover
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.reader import payload_texts, run_events, snapshot
from ingest.workspace import Workspace
from tests.log_events import AT, manifest_entries, started, stored_rows, write_manifest, write_runs

ROUNDS = 10


def codes(workspace: Workspace) -> set[str]:
    """What a verification finds, apart from the missing signature."""
    return {finding.code for finding in verify(workspace).findings} - {"checkpoint_missing"}


def dead_writer(workspace: Workspace, count: int, *, with_payload: bool = False) -> tuple[str, Path]:
    """A writer whose process ended without closing: its id and its line file."""
    writer = LogWriter(workspace, recorded_via="runner", process_name="dies")
    for number in range(count):
        if with_payload:
            made = make_payload(f"text {number}", kind="turn", occurred_at=AT, run_id="dead")
            writer.append([started("dead", number, **made.columns)], [made.payload])
        else:
            writer.append([started("dead", number)])
    writer_id = writer.writer_id
    del writer  # gives up the locks, as the end of the process does
    return writer_id, workspace.wal_dir / f"{writer_id}-0.wal"


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_any_moment_lose_nothing_acknowledged_and_double_nothing(
    workspace: Workspace, repository: Path, seed: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.log_crash", str(workspace.root), str(seed), str(ROUNDS)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert recover(workspace).problems == ()
    assert codes(workspace) == set()
    rows = stored_rows(snapshot(workspace, workspace.build_dir / "snapshot").files)
    places = Counter((row["writer_id"], row["seq"]) for row in rows)
    assert max(places.values()) == 1
    hashes = {(row["writer_id"], row["seq"]): row["hash"] for row in rows}
    acknowledged = [
        line.split()
        for file in workspace.root.parent.glob("*.acknowledged")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    assert len(acknowledged) > ROUNDS
    lost = [line for line in acknowledged if hashes.get((line[0], int(line[1]))) != line[2]]
    assert lost == []
    texts = payload_texts(workspace, [line[3] for line in acknowledged])
    assert [payload_id for payload_id, text in texts.items() if text is None] == []
    assert list(workspace.lake_dir.glob("*.tmp")) == []
    assert list(workspace.payload_dir.glob("*.tmp")) == []


def test_a_file_cut_anywhere_keeps_exactly_its_whole_lines(workspace: Workspace, tmp_path: Path) -> None:
    writer_id, path = dead_writer(workspace, 3)
    content = path.read_bytes()
    ends = [position + 1 for position, byte in enumerate(content) if byte == 10]
    cuts = sorted({*range(0, len(content), 120), *ends, *(end - 1 for end in ends)})
    for cut in cuts:
        copy = Workspace(tmp_path / f"cut-{cut}")
        shutil.copytree(workspace.root, copy.root)
        (copy.wal_dir / path.name).write_bytes(content[:cut])
        report = recover(copy)
        whole = [end for end in ends if end <= cut]
        torn = cut - max(whole, default=0)
        if cut:
            (dead,) = report.writers
            assert (dead.writer_id, dead.event_count, dead.torn_bytes) == (writer_id, len(whole), torn)
        assert (copy.quarantine_dir / f"{writer_id}-0.torn").exists() == bool(torn)
        assert codes(copy) == set()


def test_a_flipped_bit_stops_the_prefix_before_it(workspace: Workspace, tmp_path: Path) -> None:
    _, path = dead_writer(workspace, 3)
    content = path.read_bytes()
    for position in range(0, len(content), 110):
        copy = Workspace(tmp_path / f"flip-{position}")
        shutil.copytree(workspace.root, copy.root)
        flipped = content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
        (copy.wal_dir / path.name).write_bytes(flipped)
        assert "wal_damaged" in codes(copy) or position >= content[:-1].rindex(b"\n")
        recover(copy)
        kept = sum(entry["count"] for entry in manifest_entries(copy) if entry["is_recovered"])
        assert kept == content[:position].count(b"\n")


def test_a_writer_that_died_before_the_first_line_of_its_next_file_has_an_end_on_record(
    workspace: Workspace,
) -> None:
    """Once its empty file was removed without a word, and the sealed events before it looked cut off."""
    writer = LogWriter(workspace, recorded_via="runner", process_name="dies", seal_bytes=700)
    while len(list(workspace.lake_dir.rglob("*.parquet"))) < 1:
        receipt = writer.append([started("dead")])
    del writer
    (path,) = workspace.wal_dir.glob("*.wal")
    assert path.stat().st_size == 0
    (dead,) = recover(workspace).writers
    assert (dead.event_count, dead.torn_bytes) == (receipt.last_seq + 1, 0)
    assert recover(workspace) == RecoverReport()
    assert codes(workspace) == set()


def test_a_recovery_is_an_event_that_names_the_writer_and_what_was_torn(workspace: Workspace) -> None:
    writer_id, path = dead_writer(workspace, 3)
    path.write_bytes(path.read_bytes()[:-5])
    assert codes(workspace) == set()
    recover(workspace)
    rows = stored_rows(list(workspace.lake_dir.rglob("*.parquet")))
    (record,) = [row for row in rows if row["event_type"] == "log_recovered"]
    assert record["recovered_writer_id"] == writer_id
    assert writer_id in record["reason"]
    assert record["declared_count"] == 3
    torn = workspace.quarantine_dir / f"{writer_id}-0.torn"
    assert record["torn_bytes"] == torn.stat().st_size > 0
    assert torn.stat().st_mode & 0o007 == 0


def test_two_recoveries_at_once_seal_each_writer_once(workspace: Workspace) -> None:
    dead = {dead_writer(workspace, 5)[0] for _ in range(12)}
    reports: list[RecoverReport] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        reports.append(recover(workspace))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recover(workspace)
    sealed = Counter(entry["writer_id"] for entry in manifest_entries(workspace) if entry["is_recovered"])
    assert sealed == Counter(dict.fromkeys(dead, 1))
    assert len(reports) == 4
    assert codes(workspace) == set()


def test_a_file_that_another_recovery_finished_meanwhile_is_left_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_writer(workspace, 5)
    flock = fcntl.flock
    others: list[RecoverReport] = []

    def overtaken(fd: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX | fcntl.LOCK_NB and not others:
            others.append(RecoverReport())
            others.append(recover(workspace))
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", overtaken)
    assert recover(workspace) == RecoverReport()
    assert len(others[1].writers) == 1
    assert codes(workspace) == set()


def test_a_living_writer_is_left_alone(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="lives") as writer:
        writer.append([started("r1")])
        assert recover(workspace) == RecoverReport()
        writer.append([started("r1", 1)])
    assert len(run_events(workspace, "r1")) == 2
    assert codes(workspace) == set()


def test_a_recovery_that_died_before_its_last_step_is_finished_without_a_second_seal(
    workspace: Workspace,
) -> None:
    _, path = dead_writer(workspace, 5)
    content = path.read_bytes()
    recover(workspace)
    before = manifest_entries(workspace)
    path.write_bytes(content)  # sealed, listed, recorded, but the line file was not yet removed
    assert codes(workspace) == set()
    recover(workspace)
    assert not path.exists()
    recovered = [entry for entry in manifest_entries(workspace) if entry["is_recovered"]]
    assert recovered == [entry for entry in before if entry["is_recovered"]]
    assert codes(workspace) == set()


def test_a_seal_that_died_before_its_manifest_line_is_made_again(workspace: Workspace) -> None:
    _, path = dead_writer(workspace, 5)
    content = path.read_bytes()
    recover(workspace)
    (sealed,) = [entry for entry in manifest_entries(workspace) if entry["is_recovered"]]
    write_manifest(workspace, [entry for entry in manifest_entries(workspace) if not entry["is_recovered"]])
    path.write_bytes(content)
    assert codes(workspace) == set()
    recover(workspace)
    again = [entry for entry in manifest_entries(workspace) if entry["is_recovered"]]
    assert [entry["file_sha256"] for entry in again] == [sealed["file_sha256"]]
    assert codes(workspace) == set()


def test_half_made_files_of_the_dead_are_swept(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="lives") as writer:
        in_work = workspace.lake_dir / f"{writer.writer_id}-0.parquet.tmp"
        in_work.write_bytes(b"half")
        left = workspace.lake_dir / "w20261104080000-00000000000000aa-0.parquet.tmp"
        left.write_bytes(b"half")
        left_payload = workspace.payload_dir / "w20261104080000-00000000000000aa-0.2026-11.parquet.tmp"
        left_payload.write_bytes(b"half")
        assert set(recover(workspace).swept_files) == {left.name, left_payload.name}
        assert in_work.exists()


def test_a_torn_manifest_line_is_dropped_by_the_next_one(workspace: Workspace) -> None:
    write_runs(workspace, "r1", 3)
    with workspace.manifest_file.open("ab") as stream:
        stream.write(b'{"count":3,"file":"recorded_da')
    write_runs(workspace, "r2", 3)
    assert [entry["count"] for entry in manifest_entries(workspace)] == [5, 5]
    assert codes(workspace) == set()


def test_payloads_of_a_dead_writer_are_sealed_up_to_the_torn_one(workspace: Workspace) -> None:
    dead_writer(workspace, 4, with_payload=True)
    (path,) = (workspace.payload_dir / "open").glob("*.wal")
    torn = path.read_bytes() + b'0123 {"payload_id"'
    path.write_bytes(torn)
    assert recover(workspace).payload_count == 4
    ids = [str(event["payload_id"]) for event in run_events(workspace, "dead")]
    assert payload_texts(workspace, ids) == {payload_id: f"text {n}" for n, payload_id in enumerate(ids)}
    assert codes(workspace) == set()


def test_events_whose_beginning_is_gone_are_kept_and_named(workspace: Workspace, tmp_path: Path) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="dies", seal_bytes=1_500)
    for number in range(10):
        writer.append([started("r1", number)])
    assert list(workspace.lake_dir.rglob("*.parquet"))
    del writer
    write_manifest(workspace, [])
    (problem,) = recover(workspace).problems
    assert "are missing. Run `fleetbook verify`" in problem
    assert len(list(workspace.wal_dir.glob("*.wal"))) == 1
    assert {"link_broken", "file_unknown"} <= codes(workspace)
    with pytest.raises(SegmentError, match="Log incomplete"):
        snapshot(workspace, tmp_path / "snapshot")
