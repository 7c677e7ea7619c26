"""`fleetbook up` under test: started, its processes found by what they do, killed, and ended."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.workspace import Workspace
from tests.conftest import ROOT

# What a process does → a word of its command line. In the order in which they are killed.
ROLES: Mapping[str, str] = {
    "worker": "worker",
    "receiver": "serve-otlp",
    "pages": "app.server",
    "builder": "build",
    "pages' starter": "serve",
    "dbt": "app.building.run",
}
BACK_SECONDS = 180.0  # a supervisor waits up to a minute, and two busy cores need another one to start Python
STOP_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One component killed: what it was, when (monotonic seconds), and how long until it was back."""

    role: str
    killed_at: float
    back_s: float


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where pages and receiver answer."""

    pages: int
    receiver: int

    @classmethod
    def free(cls) -> Ports:
        """Two ports that nobody listens on."""
        with socket.socket() as first, socket.socket() as second:
            for one in (first, second):
                one.bind(("127.0.0.1", 0))
            return cls(pages=first.getsockname()[1], receiver=second.getsockname()[1])


@dataclass(kw_only=True)
class Up:
    """The supervisor and all that it started. ``kills`` are those that were done here."""

    ports: Ports
    process: subprocess.Popen[bytes]
    said: Path
    kills: list[Kill] = field(default_factory=list)

    @classmethod
    def start(cls, workspace: Workspace, said: Path) -> Up:
        """Start `fleetbook up`, with a build every minute; what it prints goes to the file ``said``."""
        ports = Ports.free()
        words = ["--port", str(ports.pages), "--receiver-port", str(ports.receiver), "--build-minutes", "1"]
        with said.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "up", *words],
                cwd=ROOT,
                env={**os.environ, "FLEETBOOK_HOME": str(workspace.root), "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(ports=ports, process=process, said=said)

    def wait_until_up(self) -> None:
        """Until pages and receiver answer and the worker is there. Raises TimeoutError."""
        for role in ("receiver", "pages", "worker"):
            self._wait(role, None)

    def running(self) -> dict[str, int]:
        """Role → process id of what works now; the supervisor itself is ``up``."""
        found = {"up": self.process.pid}
        for pid in descendants(self.process.pid):
            words = command_line(pid)
            for role, word in ROLES.items():
                if word in words:
                    found[role] = pid
        return found

    def kill(self, role: str) -> Kill | None:
        """Kill what has this role, and wait until it is back; None when no such process is there now."""
        pid = self.running().get(role)
        if pid is None:
            return None
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None  # it ended by itself meanwhile
        killed_at = time.monotonic()
        # Builds come by themselves with the minute; the pages are back when the server answers.
        if role in ("worker", "receiver", "pages", "pages' starter"):
            self._wait("pages" if role == "pages' starter" else role, pid)
        done = Kill(role=role, killed_at=killed_at, back_s=time.monotonic() - killed_at)
        self.kills.append(done)
        return done

    def _wait(self, role: str, but_not: int | None) -> None:
        ports = {"pages": (self.ports.pages, "/_stcore/health"), "receiver": (self.ports.receiver, "/health")}
        until = time.monotonic() + BACK_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise TimeoutError(f"`fleetbook up` ended with {self.process.returncode}: {self.tail()}")
            pid = self.running().get(role)
            if pid not in (None, but_not) and (role not in ports or answers(*ports[role])):
                return
            time.sleep(0.2)
        raise TimeoutError(f"{role} is not back after {BACK_SECONDS:.0f} s: {self.tail()}")

    def stop(self) -> list[str]:
        """End it as Ctrl-C does. Returns the command lines of processes that it left behind."""
        before = descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return [f"`fleetbook up` did not end within {STOP_SECONDS:.0f} s"]
        return [" ".join(words) for pid in before if (words := command_line(pid))]

    def tail(self) -> str:
        """The last lines that it printed."""
        return " | ".join(self.said.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def answers(port: int, path: str) -> bool:
    """Whether a server of this machine answers ``path`` with 200 within two seconds."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        asking.request("GET", path)
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def command_line(pid: int) -> Sequence[str]:
    """Its words; none for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return ()


def descendants(root: int) -> list[int]:
    """Ids of all processes below ``root`` (Linux)."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.name))
    found, looking = list[int](), [root]
    while looking:
        children = parents.get(looking.pop(), [])
        found += children
        looking += children
    return found
