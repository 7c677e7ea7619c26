"""Spans a second that the OTLP receiver acknowledges durable, with CPU, bytes and memory per span.

Runs of eight spans (one root, four model turns, three tools, about 1 kB of text each) come from client
processes, one run per request and 64 runs per request, with content kept. The bare rate of ``fdatasync`` on
the same disk stands beside them: nothing that is durable before its answer can beat it without sharing.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ingest.log.writer import LogWriter, utc_now
from ingest.receivers.tokens import Capture, create_token
from ingest.workspace import Workspace
from tests.otlp_load import ROOT, SPANS_PER_RUN, Sent, Template, running_receiver, send_from_threads

SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
CLIENT_PROCESSES = 2
CASES: tuple[tuple[str, int, int, Capture], ...] = (
    ("one run per request", 1, 12, "on"),
    ("64 runs per request", 64, 2, "on"),
    ("one run per request, content hashed", 1, 12, "hashed"),
    ("one run per request, content off", 1, 12, "off"),
    ("64 runs per request, content off", 64, 2, "off"),
)


def main() -> None:
    """Print one line per case."""
    cases = CASES if os.environ.get("BENCH_CASES") is None else CASES[: int(os.environ["BENCH_CASES"])]
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder:
        _print_baseline(Path(folder))
        for number, case in enumerate(cases):
            _print_case(Path(folder) / f"workspace-{number}", *case)


def _print_baseline(folder: Path) -> None:
    """Appends of one run's bytes, each with its own fdatasync, from one thread."""
    block = Template(1).fresh()[0]
    fd = os.open(folder / "baseline", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    count, until = 0, time.perf_counter() + 3
    while time.perf_counter() < until:
        os.write(fd, block)
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    print(
        f"bare fdatasync: {count / 3:,.0f} a second of {len(block):,} bytes ({count / 3 * SPANS_PER_RUN:,.0f} spans/s)"
    )


def _print_case(home: Path, name: str, runs: int, connections: int, capture: Capture) -> None:
    workspace = Workspace.create(home)
    with LogWriter(workspace, recorded_via="app", process_name="bench") as writer:
        made = create_token(
            workspace,
            writer,
            team_id="support",
            label="bench",
            content_capture=capture,
            person_id=None,
            now=utc_now(),
        )
    with running_receiver(home, "--token-mb-per-s", "10000") as receiver:
        _load(receiver.port, made.text, connections, runs, 2.0)  # first requests pay for what is loaded late
        cpu, started, size = receiver.cpu_seconds(), time.perf_counter(), _bytes_in(home)
        sent = _load(receiver.port, made.text, connections, runs, SECONDS)
        elapsed = time.perf_counter() - started
        spans = len(sent.acknowledged) * SPANS_PER_RUN
        cpu_ms = (receiver.cpu_seconds() - cpu) / max(spans, 1) * 1000
        now, peak = receiver.memory_bytes(), receiver.memory_bytes("VmHWM")
        grown = _bytes_in(home) - size
    refusals = ", ".join(f"{count} × {status}" for status, count in sorted(sent.others.items())) or "none"
    latencies = sorted(sent.latencies)
    print(
        f"{name}: {spans / elapsed:,.0f} spans/s durable, {cpu_ms:.3f} ms CPU per span, "
        f"{grown / max(spans, 1):,.0f} bytes per span while open, {_bytes_in(home) / max(spans, 1):,.0f} sealed, "
        f"memory {now >> 20} MiB (peak {peak >> 20}), "
        f"p50 {statistics.median(latencies) * 1000:.1f} ms, p99 {latencies[len(latencies) * 99 // 100] * 1000:.1f} ms, "
        f"refusals: {refusals}",
        flush=True,
    )


def _load(port: int, token: str, connections: int, runs: int, seconds: float) -> Sent:
    together = Sent()
    with ProcessPoolExecutor(CLIENT_PROCESSES) as pool:
        jobs = [
            pool.submit(
                send_from_threads, port, token, connections=connections, runs=runs, seconds=seconds
            )
            for _ in range(CLIENT_PROCESSES)
        ]
        for job in jobs:
            done = job.result()
            together.acknowledged += done.acknowledged
            together.latencies += done.latencies
            for status, count in done.others.items():
                together.others[status] = together.others.get(status, 0) + count
    return together


def _bytes_in(home: Path) -> int:
    folders = ("wal", "lake", "payloads")
    return sum(
        path.stat().st_size for folder in folders for path in (home / folder).rglob("*") if path.is_file()
    )


if __name__ == "__main__":
    sys.exit(main())
