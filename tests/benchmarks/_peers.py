"""Arize Phoenix and MLflow in environments of their own, as neighbours of the ingest benchmark."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 180
_SPAN_COUNT = "select count(*) from spans"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A product that takes OTLP over HTTP: package, command, environment, health page, database."""

    name: str
    package: str
    command: tuple[str, ...]  # {home} and {port} are filled in
    environment: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    health: str = "/"
    database: str = ""


PEERS = (
    Peer(
        name="Arize Phoenix",
        package="arize-phoenix",
        command=("phoenix", "serve"),
        environment=(
            ("PHOENIX_WORKING_DIR", "{home}"),
            ("PHOENIX_PORT", "{port}"),
            ("PHOENIX_GRPC_PORT", "{other_port}"),
            ("PHOENIX_TELEMETRY_ENABLED", "false"),
        ),
        health="/healthz",
        database="phoenix.db",
    ),
    Peer(
        name="MLflow",
        package="mlflow",
        command=("mlflow", "server", "--host", "127.0.0.1", "--port", "{port}",
                 "--backend-store-uri", "sqlite:///{home}/mlflow.db",
                 "--default-artifact-root", "{home}/artifacts"),
        environment=(("DO_NOT_TRACK", "true"), ("MLFLOW_DISABLE_TELEMETRY", "true")),
        headers=(("x-mlflow-experiment-id", "0"),),
        health="/health",
        database="mlflow.db",
    ),
)  # fmt: skip


class PeerMissingError(Exception):
    """A peer cannot be installed or does not start; the message says why."""


def installed(peer: Peer, folder: Path) -> Path:
    """The programs of ``peer`` in an environment below ``folder``. Raises PeerMissingError."""
    environment = folder / peer.package
    programs = environment / "bin"
    if (programs / peer.command[0]).exists():
        return programs
    steps = (
        [sys.executable, "-m", "venv", str(environment)],
        [str(programs / "python"), "-m", "pip", "install", "--quiet", peer.package],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise PeerMissingError(f"{peer.name} is left out: {peer.package} was not installed ({last}).")
    return programs


@dataclass
class RunningPeer:
    """A peer that answers: its processes and where it stores."""

    process: subprocess.Popen[bytes]
    port: int
    database: Path

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far."""
        return sum(map(_cpu_seconds, self._processes()))

    def memory_bytes(self) -> int:
        """Resident memory of all its processes; pages that they share count for each."""
        return sum(map(_resident_bytes, self._processes()))

    def stored_spans(self) -> int:
        """Spans in its database now."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute(_SPAN_COUNT).fetchone()[0])

    def stored_bytes(self) -> int:
        """Bytes of its database."""
        return sum(path.stat().st_size for path in self.database.parent.glob(f"{self.database.name}*"))

    def _processes(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found += map(int, children.read_text().split())
        return found


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def running(peer: Peer, programs: Path, home: Path, port: int) -> Iterator[RunningPeer]:
    """``peer`` on ``port`` with its data in ``home``, ended afterwards. Raises PeerMissingError."""
    home.mkdir(parents=True)
    words = {"home": str(home), "port": str(port), "other_port": str(port + 1)}
    environment = {name: value.format(**words) for name, value in peer.environment}
    with (home / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [str(programs / peer.command[0]), *(word.format(**words) for word in peer.command[1:])],
            cwd=home,
            env=os.environ | environment | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
            stdout=output,
            stderr=output,
            start_new_session=True,  # its workers end with it
        )
    try:
        _wait_until_ready(peer, process, f"http://127.0.0.1:{port}{peer.health}")
        yield RunningPeer(process, port, home / peer.database)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(peer: Peer, process: subprocess.Popen[bytes], url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy to this machine itself
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError), opener.open(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise PeerMissingError(f"{peer.name} is left out: it did not answer within {START_SECONDS} s.")
