"""The writer: durable before acknowledged, one chain per process, poisoned by any write error."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.contract import parse_body
from ingest.errors import ContractError, WriterError
from ingest.log.recover import recover
from ingest.log.verify import verify
from ingest.log.wal import first_head, next_head
from ingest.log.writer import LogWriter, Receipt
from ingest.payloads import make_payload
from ingest.reader import run_events, snapshot
from ingest.workspace import Workspace
from tests.log_events import AT, manifest_entries, started, stored_rows, write_runs


def codes(workspace: Workspace) -> set[str]:
    """What a verification finds, apart from the missing signature."""
    return {finding.code for finding in verify(workspace).findings} - {"checkpoint_missing"}


def wal_lines(workspace: Workspace) -> list[bytes]:
    return b"".join(path.read_bytes() for path in workspace.wal_dir.glob("*.wal")).splitlines()


def test_an_acknowledged_event_stands_in_the_line_file_with_its_chain_value(workspace: Workspace) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="test")
    receipt = writer.append([started("r1"), started("r1", 1)])
    opened, first, second = wal_lines(workspace)
    head = next_head(first_head(writer.writer_id), opened[65:])
    assert opened == head.hex().encode() + b" " + opened[65:]
    head = next_head(next_head(head, first[65:]), second[65:])
    assert second[:64].decode() == head.hex() == receipt.head
    assert receipt == Receipt(writer_id=writer.writer_id, first_seq=1, last_seq=2, head=head.hex())
    writer.close()


def test_the_writer_fills_its_columns_and_keeps_what_an_event_brings(
    workspace: Workspace, clock: Callable[[], dt.datetime]
) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="test", clock=clock) as writer:
        writer.append([started("r1"), started("r1", 1, recorded_via="demo", is_demo=True, recorded_at=AT)])
    plain, own = run_events(workspace, "r1")
    assert plain["recorded_at"] == clock()
    assert (plain["recorded_via"], plain["is_demo"], plain["writer_id"]) == (
        "runner",
        False,
        writer.writer_id,
    )
    assert (own["recorded_via"], own["is_demo"], own["recorded_at"]) == ("demo", True, AT)


def test_a_chain_begins_with_writer_opened_and_ends_with_writer_closed(workspace: Workspace) -> None:
    write_runs(workspace, "r1", 2)
    rows = stored_rows(list(workspace.lake_dir.rglob("*.parquet")))
    assert [row["event_type"] for row in rows] == [
        "writer_opened",
        "run_started",
        "run_started",
        "writer_closed",
    ]
    assert [row["seq"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["process_name"] == "r1"
    assert rows[3]["declared_count"] == 4
    assert list(workspace.wal_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"event_type": "run_began"}, "unknown event type"),
        ({"run_id": None}, "run_id is missing"),
        ({"agent_version": "1"}, "agent_version is str"),
        ({"cap_nano_usd": 1}, "does not belong"),
        ({"occurred_at": dt.datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001  # the mistake under test
        ({"seq": 7}, "filled by the writer"),
        ({"agent_id": "half a \ud800 character"}, "no UTF-8"),
    ],
)
def test_an_event_against_the_contract_writes_nothing_of_its_batch(
    workspace: Workspace, change: dict[str, object], problem: str
) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        before = wal_lines(workspace)
        with pytest.raises(ContractError, match=problem):
            writer.append([started("r1"), {**started("r1", 1), **change}])  # type: ignore[dict-item]
        assert wal_lines(workspace) == before
        assert writer.append([started("r1")]).first_seq == 1


def test_threads_share_their_syncs(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []

    def slow_device(fd: int) -> None:
        syncs.append(fd)
        time.sleep(0.003)  # what a flush takes on a real disk; the folder of this test may be in memory

    monkeypatch.setattr(os, "fdatasync", slow_device)
    receipts: list[Receipt] = []
    barrier = threading.Barrier(24)

    def work(name: str) -> None:
        barrier.wait()
        receipts.extend(writer.append([started(name, number)]) for number in range(20))

    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        threads = [threading.Thread(target=work, args=(f"run-{number}",)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(receipt.first_seq for receipt in receipts) == list(range(1, 481))
    assert len(syncs) < 480 / 4
    assert codes(workspace) == set()
    heads = {row["seq"]: row["hash"] for row in stored_rows(list(workspace.lake_dir.rglob("*.parquet")))}
    assert all(heads[receipt.last_seq] == receipt.head for receipt in receipts)


def test_a_full_line_file_is_sealed_and_the_chain_goes_on(workspace: Workspace) -> None:
    writer_id = write_runs(workspace, "r1", 100, seal_bytes=10_000, payload_every=3)
    entries = manifest_entries(workspace)
    assert len(entries) > 3
    assert {entry["writer_id"] for entry in entries} == {writer_id}
    for before, after in itertools.pairwise(entries):
        assert after["first_seq"] == before["last_seq"] + 1
        assert after["prev_head"] == before["head"]
    assert entries[-1]["last_seq"] == 101
    assert codes(workspace) == set()


def test_a_clock_that_jumps_back_does_not_turn_recorded_at_back(workspace: Workspace) -> None:
    times = iter([AT, AT, AT + dt.timedelta(hours=1), *[AT] * 9])
    with LogWriter(workspace, recorded_via="runner", process_name="t", clock=lambda: next(times)) as writer:
        writer.append([started("r1")])
        writer.append([started("r1", 1)])
    recorded = [row["recorded_at"] for row in stored_rows(list(workspace.lake_dir.rglob("*.parquet")))]
    assert recorded == sorted(recorded)
    assert recorded[-1] > AT


def test_a_closed_writer_takes_no_more_events(workspace: Workspace) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="test")
    writer.close()
    writer.close()
    with pytest.raises(WriterError, match="is closed"):
        writer.append([started("r1")])


# A disk that takes no more than a few kilobytes: RLIMIT_FSIZE cuts one write short and fails the next.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ingest.errors import WriterError
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.log_events import started

workspace = Workspace.open(Path(sys.argv[1]))
writer = LogWriter(workspace, recorded_via="runner", process_name="full")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
acknowledged, refused = 0, []
for number in range(30):
    try:
        acknowledged = writer.append([started("r1", number)]).last_seq
    except WriterError as error:
        refused.append(str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
try:
    writer.append([started("r1", 99)])
except WriterError as error:
    refused.append(str(error))
print(acknowledged, len(refused), refused[-1], sep="|")
"""


def run_script(script: str, workspace: Workspace, repository: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(workspace.root)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_poisons_the_writer_and_loses_nothing_acknowledged(
    workspace: Workspace, repository: Path
) -> None:
    acknowledged, refused, message = run_script(FULL_DISK, workspace, repository).strip().split("|")
    assert int(acknowledged) > 2
    assert int(refused) == 31 - int(acknowledged)
    assert "File too large" in message
    assert "fleetbook recover" in message
    report = recover(workspace)
    assert report.writers[0].event_count == int(acknowledged) + 1
    assert report.writers[0].torn_bytes > 0
    assert len(run_events(workspace, "r1")) == int(acknowledged)
    assert codes(workspace) == set()


def test_a_failed_sync_poisons_the_writer_for_good(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="test")
    writer.append([started("r1")])
    failing = True
    fdatasync = os.fdatasync

    def sync(fd: int) -> None:
        if failing:
            raise OSError(5, "Input/output error")
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", sync)
    with pytest.raises(WriterError, match=r"Input/output error .*durable up to seq 1"):
        writer.append([started("r1", 1)])
    failing = False
    with pytest.raises(WriterError, match="Input/output error"):
        writer.append([started("r1", 2)])
    with pytest.raises(WriterError, match="Input/output error"):
        writer.close()
    recover(workspace)
    assert started("r1")["event_id"] in {event["event_id"] for event in run_events(workspace, "r1")}
    assert codes(workspace) == set()


def test_a_seal_that_fails_keeps_what_was_acknowledged(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="test", seal_bytes=2_000)
    workspace.lake_dir.rmdir()
    workspace.lake_dir.write_text("a file where the folder should be", encoding="utf-8")
    receipts = []
    with pytest.raises(WriterError, match="Log not written"):
        receipts += [writer.append([started("r1", number)]) for number in range(20)]
    workspace.lake_dir.unlink()
    recover(workspace)
    assert len(run_events(workspace, "r1")) >= 3
    assert codes(workspace) == set()


def test_a_workspace_that_cannot_be_written_is_refused_at_once(workspace: Workspace) -> None:
    workspace.wal_dir.rmdir()
    with pytest.raises(WriterError, match=r"No such file .*fleetbook recover"):
        LogWriter(workspace, recorded_via="runner", process_name="test")


FORK = """
import json, os, sys
from pathlib import Path
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.log_events import started

workspace = Workspace.open(Path(sys.argv[1]))
writer = LogWriter(workspace, recorded_via="runner", process_name="parent")
parent_id = writer.writer_id
writer.append([started("parent", 0)])
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    receipt = writer.append([started("child", 0)])
    os.write(writing, json.dumps([receipt.writer_id, receipt.first_seq]).encode())
    os._exit(0)
os.waitpid(child, 0)
writer.append([started("parent", 1)])
writer.close()
print(json.dumps([parent_id, *json.loads(os.read(reading, 1000))]))
"""


def test_a_forked_process_writes_a_chain_of_its_own(workspace: Workspace, repository: Path) -> None:
    parent_id, child_id, first_seq = json.loads(run_script(FORK, workspace, repository))
    assert parent_id != child_id
    assert first_seq == 1
    (parent_entry,) = manifest_entries(workspace)
    assert (parent_entry["writer_id"], parent_entry["count"]) == (parent_id, 4)
    report = recover(workspace)
    assert [(dead.writer_id, dead.event_count) for dead in report.writers] == [(child_id, 2)]
    assert codes(workspace) == set()


def test_payloads_are_durable_before_the_events_that_name_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fdatasync = os.fdatasync

    def sync(fd: int) -> None:
        order.append(Path(f"/proc/self/fd/{fd}").readlink().parent.name)
        fdatasync(fd)

    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        made = make_payload("the task", kind="task", occurred_at=AT, run_id="r1")
        monkeypatch.setattr(os, "fdatasync", sync)
        writer.append([started("r1", **made.columns)], [made.payload])
        monkeypatch.undo()
    assert order == ["open", "wal"]


def test_the_body_is_the_row_and_nothing_else(workspace: Workspace, tmp_path: Path) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        odd = 'line\nbreak "quoted" \\ tab\t é   \U0001f600'
        writer.append([started("r1", agent_id=odd, team_id=odd, agent_version=2**53 - 1)])
        open_row = next(row for row in stored_rows(snapshot(workspace, tmp_path).files) if row["seq"] == 1)
    row = next(row for row in stored_rows(snapshot(workspace, tmp_path).files) if row["seq"] == 1)
    assert row == open_row
    told = parse_body(row["body"])
    assert told == {
        key: value for key, value in row.items() if value is not None and key not in ("body", "hash")
    }
    assert (row["agent_id"], row["agent_version"]) == (odd, 9_007_199_254_740_991)
