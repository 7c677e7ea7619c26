"""Compaction: the same events in fewer files, in a better order; proofs stay, and every attack is named."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ingest.errors import MaintenanceError, SegmentError
from ingest.log.checkpoint import notarise
from ingest.log.compact import compact
from ingest.log.disk import file_sha256
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.reader import run_events, snapshot
from ingest.workspace import Workspace
from tests.log_events import (
    manifest_entries,
    rewrite_rows,
    started,
    stored_rows,
    write_manifest,
    write_runs,
)
from tests.log_kills import killed, tomorrow


def lake_files(workspace: Workspace) -> list[Path]:
    return sorted(workspace.lake_dir.rglob("*.parquet"))


def found(workspace: Workspace, level: int = 2, against: tuple[Path, ...] = ()) -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for finding in verify(workspace, level, against=against).findings:
        if finding.code != "checkpoint_missing":
            words.setdefault(finding.code, []).append(finding.object)
    return words


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three writers with three small segments each; their agents and runs are mixed."""
    workspace = Workspace.create(tmp_path_factory.mktemp("log") / "workspace")
    for name in ("run-c", "run-a", "run-b"):
        with LogWriter(workspace, recorded_via="runner", process_name=name, seal_bytes=6_000) as writer:
            for number in range(40):
                writer.append([started(f"{name}-{number % 4}", number, agent_id=f"agent-{number % 2}")])
    return workspace


@pytest.fixture
def log(scattered: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(scattered.root, tmp_path / "copy")
    return Workspace.open(tmp_path / "copy")


def test_every_event_and_hash_stays_and_one_file_is_left(log: Workspace, tmp_path: Path) -> None:
    before = stored_rows(lake_files(log))
    report = compact(log, clock=tomorrow)
    (file,) = lake_files(log)
    assert stored_rows([file]) == before
    (record,) = report.records
    assert (record.count, len(record.inputs)) == (3 * 42, len(set(report.removed_files)))
    assert manifest_entries(log)[-1]["kind"] == "compaction"
    assert [stretch["last_seq"] for stretch in manifest_entries(log)[-1]["stretches"]] == [41, 41, 41]
    assert found(log) == {}
    shot = snapshot(log, tmp_path / "snapshot")
    assert (shot.files[0], shot.events) == (file, len(before))
    assert len(run_events(log, "run-a-1")) == 10
    assert compact(log, clock=tomorrow).records == ()


def test_rows_are_sorted_by_agent_and_run(log: Workspace) -> None:
    compact(log, clock=tomorrow)
    rows = pq.read_table(lake_files(log)[0]).to_pylist()
    keys = [(row["agent_id"], row["run_id"]) for row in rows if row["agent_id"]]
    assert keys == sorted(keys)
    assert len(keys) == 120


def test_proofs_made_before_hold_afterwards(log: Workspace, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(notarise(log).note, encoding="utf-8")
    compact(log, clock=tomorrow)
    assert found(log, 3, (kept,)) == {}
    notarise(log)
    assert verify(log, 3, against=(kept,)).ok


def test_a_day_that_goes_on_waits_until_it_has_many_files(log: Workspace) -> None:
    days = {file.parent.name.removeprefix("recorded_date=") for file in lake_files(log)}
    today = max(days)

    def now() -> dt.datetime:
        return dt.datetime.fromisoformat(f"{today}T23:00:00+00:00")

    if len(days) == 1:
        assert compact(log, clock=now).records == ()
    for number in range(30):
        write_runs(log, f"later-{number}", 1)
    assert compact(log, clock=now).records != ()
    assert found(log) == {}


def test_a_day_becomes_as_many_files_as_it_needs_and_late_ones_join_them(log: Workspace) -> None:
    total = sum(file.stat().st_size for file in lake_files(log))
    smallest = min(file.stat().st_size for file in lake_files(log))
    report = compact(log, file_bytes=max(total // 2 + 1, 3 * smallest + 3), clock=tomorrow)
    assert len(report.records) == 2
    assert found(log) == {}
    write_runs(log, "late", 3)
    (record,) = compact(log, clock=tomorrow).records
    assert record.count == 3 * 42 + 5
    assert len(lake_files(log)) == 1
    assert compact(log, clock=tomorrow).records == ()
    assert found(log) == {}


def test_open_writers_go_on(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="lives", seal_bytes=1_500) as writer:
        for number in range(10):
            writer.append([started("r1", number)])
        assert compact(workspace, clock=tomorrow).records
        assert found(workspace) == {}
        writer.append([started("r1", 10)])
        assert len(run_events(workspace, "r1")) == 11
    assert found(workspace) == {}


def test_a_damaged_file_is_not_made_to_look_whole(log: Workspace) -> None:
    file = lake_files(log)[1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(SegmentError, match="differs from what was sealed"):
        compact(log, clock=tomorrow)
    assert len(lake_files(log)) > 1


def test_files_that_are_being_read_change_places_later(log: Workspace) -> None:
    before = lake_files(log)
    reader = os.open(log.lake_dir / ".readers.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(reader, fcntl.LOCK_SH)
    report = compact(log, patience_s=0, clock=tomorrow)
    assert (report.is_postponed, report.records) == (True, ())
    assert lake_files(log) == before
    assert not [path for path in log.lake_dir.iterdir() if path.suffix == ".part"]
    assert found(log) == {}
    os.close(reader)
    assert len(compact(log, patience_s=0, clock=tomorrow).records) == 1
    assert len(lake_files(log)) == 1
    assert found(log) == {}


def test_two_at_a_time_are_refused(log: Workspace) -> None:
    other = os.open(log.lake_dir / ".maintenance.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(MaintenanceError, match="another compaction or pruning"):
        compact(log, clock=tomorrow)
    os.close(other)


def test_a_compaction_killed_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    template = Workspace.create(tmp_path / "template")
    for name in ("run-b", "run-a"):
        write_runs(template, name, 12)
    before = stored_rows(lake_files(template))
    states = killed(template.root, tmp_path, "compact")
    assert len(states) > 20
    for state in states:
        assert found(state) == {}, state.root
        compact(state, clock=tomorrow)
        assert stored_rows(lake_files(state)) == before
        assert len(lake_files(state)) == 1
        assert not list(state.lake_dir.glob("compacted-*"))
        assert found(state) == {}


# The attack matrix again, on a compacted file.


def _edit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = rows[7]["body"].replace("agent-", "other-")
    return [
        *rows[:7],
        {**rows[7], "body": body, "agent_id": rows[7]["agent_id"].replace("agent", "other")},
        *rows[8:],
    ]


ATTACKS: dict[str, tuple[Callable[[list[dict[str, Any]]], list[dict[str, Any]]], str]] = {
    "edited": (_edit, "chain_broken"),
    "column": (lambda rows: [{**rows[0], "reason": "made up"}, *rows[1:]], "columns_differ"),
    "removed": (lambda rows: rows[:9] + rows[10:], "count_differs"),
    "repeated": (lambda rows: [*rows, rows[3]], "seq_duplicate"),
    "foreign": (lambda rows: [*rows, {**rows[3], "writer_id": "w0"}], "row_unlisted"),
    "beyond": (lambda rows: [*rows, {**rows[3], "seq": 99}], "row_unlisted"),
    "nameless": (lambda rows: [*rows, {**rows[3], "writer_id": None, "seq": None}], "row_unlisted"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_done_to_a_compacted_file_is_named(log: Workspace, attack: str) -> None:
    compact(log, clock=tomorrow)
    (file,) = lake_files(log)
    change, word = ATTACKS[attack]
    rewrite_rows(file, change(pq.read_table(file).to_pylist()))
    assert word in found(log, 1)
    assert "file_changed" in found(log, 2)


def test_another_order_of_the_rows_is_no_change_of_the_log(log: Workspace) -> None:
    compact(log, clock=tomorrow)
    (file,) = lake_files(log)
    rewrite_rows(file, pq.read_table(file).to_pylist()[::-1])
    assert found(log, 1) == {}


def test_a_missing_compacted_file_is_named_with_what_it_held(log: Workspace) -> None:
    compact(log, clock=tomorrow)
    (file,) = lake_files(log)
    file.unlink()
    (finding,) = [one for one in verify(log, 1).findings if one.code == "file_missing"]
    assert finding.object == f"file {file.relative_to(log.lake_dir)}"
    assert finding.detail.count("events 0 to 41 of w") == 3


@pytest.mark.parametrize("change", [{"inputs": []}, {"count": 3}, {"stretches": []}])
def test_a_record_that_does_not_fit_its_files_is_named(log: Workspace, change: dict[str, Any]) -> None:
    compact(log, clock=tomorrow)
    entries = manifest_entries(log)
    entries[-1] |= change
    write_manifest(log, entries)
    assert "record_contradicts" in found(log, 1)


def test_a_compaction_cannot_hide_events(log: Workspace) -> None:
    """The forged record claims that one event less was ever in the files it replaced."""
    compact(log, clock=tomorrow)
    (file,) = lake_files(log)
    rows = stored_rows([file])[:-1]
    rewrite_rows(file, rows)
    entries = manifest_entries(log)
    stretches = entries[-1]["stretches"]
    stretches[-1] |= {"last_seq": 40, "head": rows[-1]["hash"]}
    entries[-1] |= {"count": len(rows), "stretches": stretches, "file_sha256": file_sha256(file)}
    write_manifest(log, entries)
    assert {"record_contradicts", "head_differs"} <= set(found(log, 2))
