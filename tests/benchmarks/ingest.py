"""Spans a second that the OTLP receiver acknowledges durable, with CPU, bytes and memory per span.

Runs of eight spans (one root, four model turns, three tools, about 1 kB of text each) come from client
processes, one run per request and 64 runs per request. The bare rate of ``fdatasync`` on the same disk stands
beside them: nothing that is durable before its answer can beat it without sharing.

    ./fleetbook bench ingest [--seconds=20] [--minutes=10] [--saturate] [--beside]

``--minutes`` sends for that long more and prints the receiver's memory every minute. ``--saturate`` sends
more than it can take, kills it with SIGKILL meanwhile, and looks for every span it acknowledged. ``--beside``
also measures Arize Phoenix and MLflow, installed from the package registry into environments of their own.
With ``--seconds=0`` only what is asked for beside the cases is measured.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ingest.capture import Capture
from ingest.dialects.stored import stored_spans
from ingest.log.writer import LogWriter, utc_now
from ingest.reader import snapshot
from ingest.receivers.tokens import create_token
from ingest.workspace import Workspace
from tests.benchmarks._figures import limit, note
from tests.benchmarks._peers import PEERS, Peer, PeerMissingError, RunningPeer, installed, running
from tests.log_events import stored_rows
from tests.otlp_load import (
    SPANS_PER_RUN,
    Receiver,
    Sent,
    Target,
    Template,
    running_receiver,
    send_from_threads,
)

CLIENT_PROCESSES = 2
BASELINE_SECONDS = 3
DEFAULT_SECONDS = 20
LOAD_PATIENCE = 120  # senders end with the receiver; this long at most
DRAIN_SECONDS = 30  # for those who answer first and store later
# Kept over a restart by the file system standard, so never in memory: fsync in memory costs nothing.
DISK = Path("/var/tmp")


class Case(NamedTuple):
    """How many runs a request holds, connections per client process, and what becomes of texts."""

    runs: int
    connections: int
    capture: Capture


CASES = (Case(1, 12, "off"), Case(64, 2, "off"), Case(1, 12, "hashed"), Case(1, 12, "on"), Case(64, 2, "on"))
SOAK = Case(64, 2, "on")
# More than may wait for the disk: 2 processes x 80 requests of 0.8 MB are 128 MB, and 64 MiB may.
SATURATION = Case(64, 80, "on")


class Measured(NamedTuple):
    """What was sent in the measured time, and the CPU time that the server used for it."""

    sent: Sent
    cpu_seconds: float

    @property
    def spans(self) -> int:
        return len(self.sent.acknowledged) * SPANS_PER_RUN

    @property
    def speed(self) -> str:
        elapsed = max(self.sent.ended - self.sent.began, 1e-9)
        cpu_ms = self.cpu_seconds / max(self.spans, 1) * 1000
        return f"{self.spans / elapsed:,.0f} spans/s acknowledged, {cpu_ms:.3f} ms CPU per span"

    @property
    def answers(self) -> str:
        latencies = sorted(self.sent.latencies) or [0.0]
        p50, p99 = statistics.median(latencies), latencies[len(latencies) * 99 // 100]
        refusals = ", ".join(f"{count} × {status}" for status, count in sorted(self.sent.others.items()))
        return f"answers p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, refusals: {refusals or 'none'}"


def main(words: list[str]) -> None:
    """Print one block per case."""
    parser = argparse.ArgumentParser(prog="./fleetbook bench ingest", allow_abbrev=False)
    parser.add_argument(
        "--seconds", type=float, default=DEFAULT_SECONDS, help="how long each case is measured"
    )
    parser.add_argument("--minutes", type=float, default=0, help="at full load, for the memory figure")
    parser.add_argument("--saturate", action="store_true", help="more than it can take, and kill -9")
    parser.add_argument("--beside", action="store_true", help="Arize Phoenix and MLflow with the same runs")
    options = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # then what is in the folder goes too
    with tempfile.TemporaryDirectory(prefix="fleetbook-bench-", dir=DISK if DISK.is_dir() else None) as name:
        folder = Path(name)
        bare = _print_baseline(folder)
        for number, case in enumerate(CASES if options.seconds else ()):
            _print_case(folder / f"workspace-{number}", case, options.seconds, bare)
        if options.minutes:
            _print_soak(folder / "soak", options.minutes * 60)
        if options.saturate:
            _print_saturation(folder / "saturation", options.seconds or DEFAULT_SECONDS)
        for peer in PEERS if options.beside else ():
            _print_peer(folder, peer, options.seconds or DEFAULT_SECONDS)


def _print_baseline(folder: Path) -> float:
    """Appends of one run's bytes, each with its own fdatasync, from one thread; returns spans a second."""
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
    return rate * SPANS_PER_RUN


def _note(case: Case, measured: Measured, stored: float, memory: int, bare: float) -> None:
    load = f"{case.runs} run(s) per request, content {case.capture}"
    elapsed = max(measured.sent.ended - measured.sent.began, 1e-9)
    bound = limit("bare fdatasync, a run each", bare)
    note("ingest", f"durable spans/s, {load}", measured.spans / elapsed, "spans/s", beside=bound)
    key = f"span_{{}}_{case.runs}_{case.capture}"
    cpu_us = measured.cpu_seconds / max(measured.spans, 1) * 1e6
    note("ingest", f"CPU per span, {load}", cpu_us, "µs", key=key.format("cpu_us"))
    note("ingest", f"bytes per span sealed, {load}", stored, "bytes", key=key.format("bytes"))
    note("ingest", f"memory of the receiver, {load}", memory / (1 << 20), "MiB")


def _print_case(home: Path, case: Case, seconds: float, bare: float) -> None:
    workspace = Workspace.create(home)
    token = _token(workspace, case.capture)
    with running_receiver(home, "--token-mb-per-s", "10000") as receiver:
        target = Target(receiver.port, (("authorization", f"Bearer {token}"),))
        # The first requests pay for what is loaded late.
        warm = _load(target, case, seconds / 10)
        measured = _measured(target, case, seconds, receiver.cpu_seconds)
        memory, peak = receiver.memory_bytes(), receiver.memory_bytes("VmHWM")
    stored = _bytes_in(home) / (max(measured.spans, 1) + len(warm.acknowledged) * SPANS_PER_RUN)
    _note(case, measured, stored, memory, bare)
    print(
        f"{case.runs} run(s) per request, content {case.capture}:\n"
        f"    {measured.speed}, durable before the answer, {stored:,.0f} bytes per span sealed\n"
        f"    memory {memory >> 20} MiB (peak {peak >> 20}), {measured.answers}",
        flush=True,
    )


def _print_soak(home: Path, seconds: float) -> None:
    """The receiver's memory at full load, every minute, or in ten steps when that is shorter."""
    workspace = Workspace.create(home)
    token = _token(workspace, SOAK.capture)
    with running_receiver(home, "--token-mb-per-s", "10000") as receiver:
        target = Target(receiver.port, (("authorization", f"Bearer {token}"),))
        print(f"{seconds:.0f} s of {SOAK.runs} runs per request, content {SOAK.capture}:", flush=True)
        done = threading.Event()
        printer = threading.Thread(
            target=_print_memory, args=(done, min(60, seconds / 10), receiver.memory_bytes)
        )
        printer.start()
        try:
            measured = _measured(target, SOAK, seconds, receiver.cpu_seconds)
        finally:
            done.set()
            printer.join()
        peak = receiver.memory_bytes("VmHWM")
    print(f"    {measured.speed}, peak memory {peak >> 20} MiB, {measured.answers}", flush=True)


def _print_saturation(home: Path, seconds: float) -> None:
    """More than the receiver can take, kill -9 after ``seconds`` of it, and what is left."""
    workspace = Workspace.create(home)
    token = _token(workspace, SATURATION.capture)
    with running_receiver(home, "--token-mb-per-s", "10000") as receiver:
        target = Target(receiver.port, (("authorization", f"Bearer {token}"),))
        killer = threading.Thread(target=_kill_under_load, args=(receiver, seconds))
        killer.start()
        sent = _load(target, SATURATION, seconds + LOAD_PATIENCE, keep_ids=True)
        killer.join()
    stored: set[tuple[str, str]] = set()
    for row in stored_rows(snapshot(workspace, home / "snapshot").files):
        if row["event_type"] == "otel_span":
            for span in stored_spans(str(row["span_json"])):
                stored.add((str(span["trace_id"]), str(span["span_id"])))
    acknowledged = {
        (run.trace_id.hex(), span_id.hex()) for run in sent.acknowledged for span_id in run.span_ids
    }
    print(
        f"{SATURATION.connections * CLIENT_PROCESSES} connections at once, kill -9 after {seconds:.0f} s:\n"
        f"    {len(acknowledged):,} spans acknowledged, {len(acknowledged - stored):,} of them lost, "
        f"{Measured(sent, 0).answers}",
        flush=True,
    )


def _kill_under_load(receiver: Receiver, seconds: float) -> None:
    idle = receiver.cpu_seconds()
    while receiver.cpu_seconds() < idle + 1:  # senders make their texts first
        time.sleep(0.1)
    time.sleep(seconds)
    receiver.kill()


def _print_memory(done: threading.Event, step: float, memory_bytes: Callable[[], int]) -> None:
    began = time.monotonic()
    while not done.wait(step):
        print(f"    after {time.monotonic() - began:.0f} s: {memory_bytes() >> 20} MiB", flush=True)


def _print_peer(folder: Path, peer: Peer, seconds: float) -> None:
    """The same runs sent to ``peer``; what it acknowledged is not always what it stored."""
    environments = Path(tempfile.gettempdir()) / "fleetbook-bench-peers"
    try:
        programs = installed(peer, environments)
        for case in CASES[:2]:
            home = folder / f"{peer.package}-{case.runs}"
            with running(peer, programs, home, _free_port()) as server:
                target = Target(server.port, peer.headers)
                warm = _load(target, case, seconds / 10)
                begun = _stored_after(server, len(warm.acknowledged) * SPANS_PER_RUN, DRAIN_SECONDS)
                before = server.cpu_seconds()
                measured = _measured(target, case, seconds, server.cpu_seconds)
                at_end, memory = server.stored_spans() - begun, server.memory_bytes()
                stored = _stored_after(server, begun + measured.spans, DRAIN_SECONDS) - begun
                cpu_ms = (server.cpu_seconds() - before) / max(stored, 1) * 1000
                per_span = server.stored_bytes() / max(begun + stored, 1)
            print(
                f"{peer.name}, {case.runs} run(s) per request:\n"
                f"    {measured.speed}; stored: {at_end:,} of {measured.spans:,} at the end of the load, "
                f"{stored:,} after {DRAIN_SECONDS} s more\n"
                f"    {cpu_ms:.2f} ms CPU and {per_span:,.0f} bytes per span stored, "
                f"memory {memory >> 20} MiB, {measured.answers}",
                flush=True,
            )
    except PeerMissingError as error:
        print(error, flush=True)


def _stored_after(server: RunningPeer, wanted: int, seconds: float) -> int:
    """Spans in the server's database when all are there, or after ``seconds``."""
    until = time.monotonic() + seconds
    while (stored := server.stored_spans()) < wanted and time.monotonic() < until:
        time.sleep(1)
    return stored


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _measured(target: Target, case: Case, seconds: float, cpu_seconds: Callable[[], float]) -> Measured:
    before = cpu_seconds()
    sent = _load(target, case, seconds)
    return Measured(sent, cpu_seconds() - before)


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


def _load(target: Target, case: Case, seconds: float, *, keep_ids: bool = False) -> Sent:
    together = Sent()
    with ProcessPoolExecutor(CLIENT_PROCESSES) as pool:
        jobs = [
            pool.submit(
                send_from_threads,
                target,
                connections=case.connections,
                runs=case.runs,
                seconds=seconds,
                keep_ids=keep_ids,
            )
            for _ in range(CLIENT_PROCESSES)
        ]
        for job in jobs:
            together.add(job.result())
    return together


def _bytes_in(home: Path) -> int:
    paths = (path for folder in ("wal", "lake", "payloads") for path in (home / folder).rglob("*"))
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    main(sys.argv[1:])
