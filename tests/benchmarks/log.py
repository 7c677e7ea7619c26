"""The event log beside SQLite (WAL, FULL) and the bare fdatasync loop: appends, bytes, verification.

Every figure of the log includes its checks, canonical bodies and hash chain; SQLite stores the same bodies;
the bare loop writes the same bytes and is the limit of what a durable append can be here.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from ingest.contract import canonical_body
from ingest.log.checkpoint import notarise
from ingest.log.verify import verify
from ingest.log.writer import LogWriter, utc_now
from ingest.workspace import Workspace
from tests.benchmarks._figures import limit, note, peer

SECONDS = 1.5  # of load per figure: long enough for hundreds of flushes, short enough to run on a whim
APPENDERS = (1, 32, 128)
BATCHES = (1, 100, 1000)
VERIFIED_EVENTS = 200_000
NEVER = 1 << 40  # bytes of a line file: appends are measured without sealing, which has a figure of its own

Event = dict[str, object]
_TOOL_CALL: Event = {
    "event_type": "tool_call_finished",
    "occurred_at": utc_now(),
    "team_id": "support",
    "agent_id": "refund-agent",
    "agent_version": 7,
    "actor_id": "jon-vass",
    "tool_name": "lookup_order",
    "tool_outcome": "succeeded",
}


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Events and syncs per second of wall time, and CPU microseconds per event, of one load."""

    events_per_s: float
    syncs_per_s: float
    cpu_us: float


def tool_call(number: int) -> Event:
    """A finished tool call with the columns a real one has; made in under a microsecond."""
    return {
        **_TOOL_CALL,
        "event_id": f"01a20525-3e4b-76ab-8f3f-{number:012x}",
        "run_id": f"01a20461-8312-78c4-88ac-{number // 20:012x}",
        "call_index": number % 20,
        "tool_call_id": f"call_{number:08x}",
        "duration_ns": 41_200_000 + number,
    }


@contextmanager
def counted_syncs() -> Iterator[list[int]]:
    """One entry for each fdatasync of this process while the ``with`` block lasts."""
    syncs: list[int] = []
    fdatasync = os.fdatasync

    def counting(fd: int) -> None:
        fdatasync(fd)
        syncs.append(fd)

    os.fdatasync = counting  # type: ignore[assignment]  # put back below
    try:
        yield syncs
    finally:
        os.fdatasync = fdatasync


def measured(append: Callable[[Sequence[Event]], object], appenders: int, batch: int) -> Speed:
    """``append`` called by that many threads with that many events at a time, for SECONDS."""
    counts = [0] * appenders
    deadline = time.perf_counter() + SECONDS

    def work(slot: int) -> None:
        number = slot << 32
        while time.perf_counter() < deadline:
            append([tool_call(number + offset) for offset in range(batch)])
            number += batch
            counts[slot] += batch

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(appenders)]
    started, cpu = time.perf_counter(), time.process_time()
    with counted_syncs() as syncs:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    total, elapsed = sum(counts), time.perf_counter() - started
    return Speed(
        events_per_s=total / elapsed,
        syncs_per_s=len(syncs) / elapsed,
        cpu_us=(time.process_time() - cpu) / total * 1e6,
    )


def log_speed(folder: Path, appenders: int, batch: int) -> Speed:
    """Appends to the event log."""
    workspace = Workspace.create(folder / f"log-{appenders}-{batch}")
    writer = LogWriter(workspace, recorded_via="runner", process_name="bench", seal_bytes=NEVER)
    return measured(writer.append, appenders, batch)  # type: ignore[arg-type]  # plain columns


def sqlite_speed(folder: Path, appenders: int, batch: int) -> Speed:
    """The same bodies into one SQLite table, one transaction per append, one connection per thread."""
    path = folder / f"sqlite-{appenders}-{batch}.db"
    held = threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(held, "connection"):
            held.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            held.connection.execute("pragma journal_mode = wal")
            held.connection.execute("pragma synchronous = full")
        found: sqlite3.Connection = held.connection
        return found

    connection().execute("create table events (event_id text primary key, body text not null)")

    def append(events: Sequence[Event]) -> None:
        rows = [(event["event_id"], canonical_body(event)) for event in events]  # type: ignore[arg-type]
        database = connection()
        database.execute("begin immediate")
        database.executemany("insert into events values (?, ?)", rows)
        database.execute("commit")

    return measured(append, appenders, batch)


def bare_speed(folder: Path, batch: int) -> Speed:
    """The limit: one thread that writes lines of the same length and calls fdatasync after each batch."""
    fd = os.open(folder / f"bare-{batch}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    line = b"0" * 65 + canonical_body(tool_call(1)) + b"\n"  # type: ignore[arg-type]
    syncs = 0
    started, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - started < SECONDS:
        os.write(fd, line * batch)
        os.fdatasync(fd)
        syncs += 1
    elapsed = time.perf_counter() - started
    os.close(fd)
    return Speed(
        events_per_s=syncs * batch / elapsed,
        syncs_per_s=syncs / elapsed,
        cpu_us=(time.process_time() - cpu) / (syncs * batch) * 1e6,
    )


def appends(folder: Path, console: Console) -> None:
    """Print the append figures, the ratio to SQLite and to the bare loop measured just before."""
    table = Table("appenders", "batch", "log events/s", "CPU µs", "per core", "SQLite events/s", "CPU µs",
                  "log ÷ SQLite", "log syncs/s", "bare syncs/s", "bare ÷ log",
                  title="Durable appends")  # fmt: skip
    for appenders in APPENDERS:
        for batch in BATCHES:
            bare = bare_speed(folder, batch)
            ours = log_speed(folder, appenders, batch)
            theirs = sqlite_speed(folder, appenders, batch)
            _note(appenders, batch, ours, theirs, bare)
            table.add_row(
                str(appenders), str(batch), f"{ours.events_per_s:,.0f}", f"{ours.cpu_us:.1f}",
                f"{1e6 / ours.cpu_us:,.0f}", f"{theirs.events_per_s:,.0f}", f"{theirs.cpu_us:.1f}",
                f"{ours.events_per_s / theirs.events_per_s:.2f}", f"{ours.syncs_per_s:,.0f}",
                f"{bare.syncs_per_s:,.0f}", f"{bare.syncs_per_s / ours.syncs_per_s:.2f}",
            )  # fmt: skip
    console.print(table)
    console.print(
        "CPU: of all threads, per event, its making included. Per core: events in a second of CPU time. "
        "The log's appends are checked, encoded, chained and synced; sealing comes below."
    )


def _note(appenders: int, batch: int, ours: Speed, theirs: Speed, bare: Speed) -> None:
    load = f"{appenders} appending, {batch} at a time"
    note(
        "log", f"events/s, {load}", ours.events_per_s, "events/s", beside=peer("SQLite", theirs.events_per_s)
    )
    key = "append_cpu_us" if (appenders, batch) == (32, 100) else ""
    cpu = peer("SQLite", theirs.cpu_us)
    note("log", f"CPU per event, {load}", ours.cpu_us, "µs", key=key, beside=cpu)
    if batch == 1:
        bound = limit("bare fdatasync", bare.syncs_per_s)
        note("log", f"syncs/s, {load}", ours.syncs_per_s, "syncs/s", beside=bound)


def proof(folder: Path, console: Console) -> None:
    """Print sealed bytes per event, the share that is proof, and the rate of verification."""
    workspace = Workspace.create(folder / "proof")
    with LogWriter(workspace, recorded_via="runner", process_name="bench", seal_bytes=NEVER) as writer:
        for first in range(0, VERIFIED_EVENTS, 5000):
            writer.append([tool_call(number) for number in range(first, first + 5000)])  # type: ignore[misc]
        started, cpu = time.perf_counter(), time.process_time()
    sealed, sealed_cpu = time.perf_counter() - started, time.process_time() - cpu
    notarise(workspace)
    columns = {"all": 0, "hash": 0, "body": 0}
    for file in workspace.lake_dir.rglob("*.parquet"):
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                columns["all"] += column.total_compressed_size
                if column.path_in_schema in columns:
                    columns[column.path_in_schema] += column.total_compressed_size
    proof_bytes = columns["hash"] + workspace.manifest_file.stat().st_size
    console.print(
        f"Sealed: {columns['all'] / VERIFIED_EVENTS:.0f} bytes per event, of which hash and manifest "
        f"{proof_bytes / VERIFIED_EVENTS:.1f}, hashed body {columns['body'] / VERIFIED_EVENTS:.0f}; "
        f"sealing {VERIFIED_EVENTS / sealed:,.0f} events/s, "
        f"{sealed_cpu / VERIFIED_EVENTS * 1e6:.1f} µs of CPU each."
    )
    bytes_each = (columns["all"] + workspace.manifest_file.stat().st_size) / VERIFIED_EVENTS
    note("log", "sealed bytes per event, proof included", bytes_each, "bytes", key="sealed_bytes")
    note("log", "CPU to seal an event", sealed_cpu / VERIFIED_EVENTS * 1e6, "µs", key="seal_cpu_us")
    for level in (1, 2):
        started, cpu = time.perf_counter(), time.process_time()
        report = verify(workspace, level)
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
        each = cpu / report.events * 1e6
        note("log", f"CPU to verify an event, level {level}", each, "µs", key=f"verify_{level}_cpu_us")
        console.print(
            f"Verify level {level}: {report.events / elapsed:,.0f} events/s, "
            f"{cpu / report.events * 1e6:.1f} µs of CPU each, {len(report.findings)} findings."
        )


def main() -> None:
    """Print the figures of one run on this machine."""
    console = Console(width=160)
    with tempfile.TemporaryDirectory() as name:
        appends(Path(name), console)
        proof(Path(name), console)
