"""``fleetbook up``: what a small company needs on one machine: pages, receiver, worker, builds, checks.

Each part is a command of its own in a process of its own. One that ends by itself is started again, later
each time; one that cannot even start ends them all, because its reason is on the terminal and stays. What is
killed has no such reason and is started again, however short it lived.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from app.commands.otlp import DEFAULT_PORT as RECEIVER_PORT
from app.commands.serve import DEFAULT_PORT as PAGES_PORT
from app.commands.serve import interruptible
from app.errors import PagesKilled, ServeError
from app.lifeline import Lifeline
from app.service_log import set_up
from ingest.workspace import Workspace, home

_log = logging.getLogger("fleetbook.up")
_ROOT = Path(__file__).resolve().parents[2]  # where `python -m app.cli` finds the product
LOOK_SECONDS = 0.5
START_SECONDS = 30.0  # what ends sooner the first time has not started: a taken port, an unreadable file
LONGEST_WAIT_SECONDS = 60.0
EXPORT_SECONDS = 900.0
CHECK_SECONDS = 3600.0
SHIP_SECONDS = 10  # what a machine may lose with its disk
STOP_SECONDS = 40.0  # a worker gives its runs 30 seconds to end or park


@dataclass(kw_only=True)
class Part:
    """One command that is kept running, or is run again ``every`` so many seconds."""

    name: str
    words: tuple[str, ...]
    every: float | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    wait: float = 1.0
    has_run: bool = False  # it was up once, so that a later end is no mistake in its settings
    due_at: float = field(default_factory=time.monotonic)

    def start(self, root: str, lifeline: Lifeline) -> None:
        """Start its process, which ends with ours at the latest."""
        command = [sys.executable, "-m", "app.cli", "--workspace", root, *self.words]
        self.process = lifeline.start(command, cwd=_ROOT)
        self.started_at = time.monotonic()


def register(app: typer.Typer) -> None:
    """Add ``up`` to the command line."""
    app.command("up")(up)


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the pages.")] = PAGES_PORT,
    receiver_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the OTLP receiver.")
    ] = RECEIVER_PORT,
    receiver: Annotated[bool, typer.Option(help="Take in spans of agents built elsewhere.")] = True,
    worker: Annotated[bool, typer.Option(help="Play queued and decided runs.")] = True,
    build_minutes: Annotated[int, typer.Option(min=0, help="Minutes between builds; 0 for none.")] = 1,
    check: Annotated[bool, typer.Option(help="Check each month when it is over, on a working day.")] = True,
) -> None:
    """Start pages, OTLP receiver, worker, builds and the monthly check on this machine, until Ctrl-C."""
    set_up()
    workspace = Workspace.open(home())
    root = str(workspace.root.resolve())
    parts = [Part(name="pages", words=("serve", "--port", str(port)))]
    if receiver:
        parts.append(Part(name="receiver", words=("serve-otlp", "--port", str(receiver_port))))
    if worker:
        parts.append(Part(name="worker", words=("worker",)))
    if workspace.record != workspace:
        parts.append(Part(name="shipping", words=("machines", "ship", "--every", str(SHIP_SECONDS))))
    if build_minutes:
        parts.append(Part(name="build", words=("build",), every=60.0 * build_minutes))
        parts.append(Part(name="exports", words=("exports", "run"), every=EXPORT_SECONDS))
        # Looks once on each day of the company; asked every hour, because a machine sleeps at night.
        parts.append(Part(name="risk", words=("risk", "--once-a-day"), every=3600.0))
    if check:
        parts.append(Part(name="check", words=("check", "due"), every=CHECK_SECONDS))
    lifeline = Lifeline()
    with interruptible():
        try:
            while True:
                for part in parts:
                    look_after(part, root, time.monotonic(), lifeline)
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            _log.info("Stopping. What was answered or recorded is in the log.")
        finally:
            _stop(parts)
            lifeline.close()


def look_after(part: Part, root: str, now: float, lifeline: Lifeline) -> None:
    """Start ``part`` when it is due. Raises ServeError when it ended before it was up."""
    if part.process is None:
        if now >= part.due_at:
            part.start(root, lifeline)
        return
    code = part.process.poll()
    if code is None:
        return
    part.process = None
    if part.every is not None:
        part.due_at = part.started_at + part.every
        return
    lived = now - part.started_at
    was_killed = code < 0 or code == PagesKilled.exit_code
    part.has_run = part.has_run or was_killed or lived >= START_SECONDS
    if not part.has_run:
        raise ServeError(
            f"Not up: {part.name} ended after {lived:.0f} s with exit code {code} "
            f"(`fleetbook {' '.join(part.words)}`). The reason is in the lines above; correct it and run "
            "`fleetbook up` again."
        )
    part.wait = 1.0 if lived > LONGEST_WAIT_SECONDS else min(2 * part.wait, LONGEST_WAIT_SECONDS)
    part.due_at = now + part.wait
    _log.warning(
        "%s ended by itself (exit code %d); started again in %.0f s.",
        part.name,
        code,
        part.wait,
        extra={"part": part.name, "status": code, "wait_s": part.wait},
    )


def _stop(parts: list[Part]) -> None:
    """End all parts at once, and those by force that do not end in time."""
    running = [part.process for part in parts if part.process is not None and part.process.poll() is None]
    for process in running:
        process.terminate()
    until = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
