"""Spans a second that the OTLP receiver acknowledges durable, with CPU, bytes and memory per span.

Runs of eight spans (one root, four model turns, three tools, about 1 kB of text each) come from client
processes, one run per request and 64 runs per request. The bare rate of ``fdatasync`` on the same disk stands
beside them: nothing that is durable before its answer can beat it without sharing.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ingest.log.writer import LogWriter, utc_now
from ingest.receivers.tokens import Capture, create_token
from ingest.workspace import Workspace
from tests.otlp_load import ROOT, SPANS_PER_RUN, Receiver, Sent, Template, running_receiver, send_from_threads

SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
CLIENT_PROCESSES = 2
BASELINE_SECONDS = 3


class Case(NamedTuple):
    """How many runs a request holds, connections per client process, and what becomes of texts."""

    runs: int
    connections: int
    capture: Capture


CASES = (Case(1, 12, "off"), Case(64, 2, "off"), Case(1, 12, "hashed"), Case(1, 12, "on"), Case(64, 2, "on"))


class Measured(NamedTuple):
    """What was sent in the measured time, and what the receiver's process used for it."""

    sent: Sent
    elapsed: float
    cpu_seconds: float
    memory_bytes: int
    peak_bytes: int

    @property
    def spans(self) -> int:
        return len(self.sent.acknowledged) * SPANS_PER_RUN


def main() -> None:
    """Print one block per case."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder:
        _print_baseline(Path(folder))
        for number, case in enumerate(CASES):
            _print_case(Path(folder) / f"workspace-{number}", case)


def _print_baseline(folder: Path) -> None:
    """Appends of one run's bytes, each with its own fdatasync, from one thread."""
    block = Template(1).fresh()[0]
    fd = os.open(folder / "baseline", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    count, until = 0, time.perf_counter() + BASELINE_SECONDS
    while time.perf_counter() < until:
        os.write(fd, block)
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    rate = count / BASELINE_SECONDS
    print(f"bare fdatasync: {rate:,.0f}/s of {len(block):,} bytes, {rate * SPANS_PER_RUN:,.0f} spans/s")


def _print_case(home: Path, case: Case) -> None:
    workspace = Workspace.create(home)
    token = _token(workspace, case.capture)
    with running_receiver(home, "--token-mb-per-s", "10000") as receiver:
        # The first requests pay for what is loaded late.
        warm = _load(receiver.port, token, case, SECONDS / 10)
        measured = _measure(receiver, token, case)
    spans = max(measured.spans, 1)
    stored = _bytes_in(home) / (spans + len(warm.acknowledged) * SPANS_PER_RUN)
    latencies = sorted(measured.sent.latencies) or [0.0]
    p50, p99 = statistics.median(latencies), latencies[len(latencies) * 99 // 100]
    others = measured.sent.others.items()
    refusals = ", ".join(f"{count} × {status}" for status, count in sorted(others)) or "none"
    print(
        f"{case.runs} run(s) per request, content {case.capture}:\n"
        f"    {measured.spans / measured.elapsed:,.0f} spans/s acknowledged durable, "
        f"{measured.cpu_seconds / spans * 1000:.3f} ms CPU per span, {stored:,.0f} bytes per span sealed\n"
        f"    memory {measured.memory_bytes >> 20} MiB (peak {measured.peak_bytes >> 20}), "
        f"answers p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, refusals: {refusals}",
        flush=True,
    )


def _measure(receiver: Receiver, token: str, case: Case) -> Measured:
    cpu = receiver.cpu_seconds()
    sent = _load(receiver.port, token, case, SECONDS)
    return Measured(
        sent=sent,
        elapsed=sent.ended - sent.began,
        cpu_seconds=receiver.cpu_seconds() - cpu,
        memory_bytes=receiver.memory_bytes(),
        peak_bytes=receiver.memory_bytes("VmHWM"),
    )


def _token(workspace: Workspace, capture: Capture) -> str:
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
    return made.text


def _load(port: int, token: str, case: Case, seconds: float) -> Sent:
    how = {"connections": case.connections, "runs": case.runs, "seconds": seconds}
    together = Sent()
    with ProcessPoolExecutor(CLIENT_PROCESSES) as pool:
        jobs = [pool.submit(send_from_threads, port, token, **how) for _ in range(CLIENT_PROCESSES)]
        for job in jobs:
            together.add(job.result())
    return together


def _bytes_in(home: Path) -> int:
    paths = (path for folder in ("wal", "lake", "payloads") for path in (home / folder).rglob("*"))
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
