"""The reader: one consistent list of files for the warehouse, and direct questions to the log."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from ingest.contract import arrow_schema
from ingest.errors import SegmentError
from ingest.log import view
from ingest.log.merkle import tree_root
from ingest.log.wal import WalName
from ingest.log.writer import LogWriter
from ingest.reader import event_ids, run_events, snapshot
from ingest.workspace import Workspace
from tests.log_events import started, stored_rows, write_runs


def test_an_empty_log_gives_one_file_without_rows_in_the_contracts_schema(
    workspace: Workspace, tmp_path: Path
) -> None:
    shot = snapshot(workspace, tmp_path / "inputs")
    assert (shot.events, [file.name for file in shot.files]) == (0, ["open-0.parquet"])
    assert pq.read_schema(shot.files[0]).equals(arrow_schema())
    assert shot.checkpoint == (0, tree_root([]).hex())


def test_a_snapshot_has_sealed_open_and_dead_events_once_each(workspace: Workspace, tmp_path: Path) -> None:
    write_runs(workspace, "sealed", 40, seal_bytes=6_000)
    dead = LogWriter(workspace, recorded_via="runner", process_name="dies")
    dead.append([started("dead")])
    del dead
    with LogWriter(workspace, recorded_via="runner", process_name="lives", seal_bytes=3_000) as writer:
        for number in range(20):
            writer.append([started("open", number)])
        shot = snapshot(workspace, tmp_path / "inputs")
    rows = stored_rows(shot.files)
    runs = [row["run_id"] for row in rows if row["run_id"]]
    assert {name: runs.count(name) for name in set(runs)} == {"sealed": 40, "dead": 1, "open": 20}
    assert shot.events == len(rows)
    lines = workspace.manifest_file.read_bytes().splitlines()
    assert shot.checkpoint.root == tree_root(lines[: shot.checkpoint.size]).hex()
    names = duckdb.sql(
        f"SELECT * FROM read_parquet({[str(file) for file in shot.files]}, union_by_name=true)"
    )
    assert names.columns == arrow_schema().names


def test_snapshots_taken_while_others_write_and_seal_are_whole(workspace: Workspace, tmp_path: Path) -> None:
    stop = threading.Event()
    acknowledged = [0, 0]

    def work(index: int) -> None:
        with LogWriter(workspace, recorded_via="runner", process_name="w", seal_bytes=60_000) as writer:
            while not stop.is_set():
                writer.append([started(f"run-{index}", acknowledged[index])])
                acknowledged[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            before = list(acknowledged)
            rows = stored_rows(snapshot(workspace, tmp_path / str(number)).files)
            places = [(row["writer_id"], row["seq"]) for row in rows]
            assert len(places) == len(set(places))
            for index in range(2):
                positions = [row["seq"] for row in rows if row["run_id"] == f"run-{index}"]
                assert positions == list(range(1, len(positions) + 1))
                assert len(positions) >= before[index]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_nothing_is_sealed_between_the_two_halves_of_a_look(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="closes")
    writer.append([started("r1")])
    closing = threading.Thread(target=writer.close)
    wal_names = view.wal_names

    def listing_is_slow(folder: Path) -> list[WalName]:
        closing.start()
        closing.join(timeout=0.5)  # it seals, unless the look holds it up
        return wal_names(folder)

    monkeypatch.setattr(view, "wal_names", listing_is_slow)
    assert snapshot(workspace, tmp_path / "during").events >= 2
    monkeypatch.undo()
    closing.join()
    assert snapshot(workspace, tmp_path / "after").events == 3


def test_a_snapshot_refuses_damaged_and_missing_files(workspace: Workspace, tmp_path: Path) -> None:
    write_runs(workspace, "r1", 5)
    (file,) = workspace.lake_dir.rglob("*.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(SegmentError, match=r"differs from what was sealed.*fleetbook verify"):
        snapshot(workspace, tmp_path)
    file.unlink()
    with pytest.raises(SegmentError, match="is missing"):
        snapshot(workspace, tmp_path)


def test_event_ids_are_those_of_one_way_in_sealed_or_not(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="import:tau2", process_name="import") as writer:
        writer.append([started("a"), started("b")])
    with LogWriter(workspace, recorded_via="import:tau2", process_name="import") as writer:
        writer.append([started("c"), started("d", recorded_via="runner")])
        expected = {str(started(name)["event_id"]) for name in "abc"}
        assert event_ids(workspace, recorded_via="import:tau2") == expected
        assert event_ids(workspace, recorded_via="otlp") == set()


def test_the_events_of_a_run_come_in_order_from_all_writers_once(workspace: Workspace) -> None:
    write_runs(workspace, "r1", 30, seal_bytes=3_000)
    write_runs(workspace, "r2", 5)
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        writer.append([started("r1", 30), started("r1", 3), started("other")])
        events = run_events(workspace, "r1")
    assert [event["event_id"] for event in events] == [
        started("r1", number)["event_id"] for number in range(31)
    ]
    assert run_events(workspace, "nobody") == []
