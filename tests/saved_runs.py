"""Saved runs: small workspaces with one run each, kept to prove that later releases resume them.

``python -m tests.saved_runs tests/fixtures/saved_runs/<name>`` makes a set with the code that is checked out:
once per release, before the version goes up. Each is a tar.gz of the log and of the control store as SQL.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.worker import run_until_parked, work_once
from tests.conftest import Clock
from tests.runner_company import HASTY, company

# Saved runs stand still at this moment; whoever resumes them goes on some minutes later.
SAVED_AT = dt.datetime(2026, 11, 4, 9, 0, tzinfo=dt.UTC)
_TOOLS = (
    ("runner.agent.simulated_tools:lookup_order", "tests.runner_tools:lookup_order"),
    ("runner.agent.simulated_tools:refund_payment", "tests.runner_tools:refund_payment"),
)
_LARGE, _SMALL = "Refund W-2211, 240 USD", "Refund W-2211, 50 USD"
_LEFT_OUT = ("control.db", "locks", "build", "exports")


def waiting_for_approval(workspace: Workspace, clock: Clock) -> None:
    """Parked: a refund needs a person."""
    with company(workspace, *_TOOLS, clock=clock) as control:
        run_until_parked(control, control.request_run("refund-agent", _LARGE, "jon-vass"), pacing=HASTY)


def queued(workspace: Workspace, clock: Clock) -> None:
    """Asked for, and not begun."""
    with company(workspace, *_TOOLS, clock=clock) as control:
        control.request_run("refund-agent", _SMALL, "jon-vass")
        control.relay.flush()


def left_by_a_dead_worker(workspace: Workspace, clock: Clock) -> None:
    """Its worker died inside a read-only call."""
    with company(workspace, *_TOOLS, ("effect: consequential", "effect: read"), clock=clock) as control:
        run_id = control.request_run("refund-agent", _SMALL, "jon-vass")
    _die_in_the_refund(workspace, clock, run_id)


def unknown_outcome(workspace: Workspace, clock: Clock) -> None:
    """Parked: its worker died inside a consequential call, and nobody knows whether it took effect."""
    with company(workspace, *_TOOLS, clock=clock) as control:
        run_id = control.request_run("refund-agent", _SMALL, "jon-vass")
    _die_in_the_refund(workspace, clock, run_id)
    with Control(workspace, clock=clock) as control:
        work_once(control, pacing=HASTY)


CASES: dict[str, Callable[[Workspace, Clock], None]] = {
    one.__name__: one for one in (waiting_for_approval, queued, left_by_a_dead_worker, unknown_outcome)
}


def _die_in_the_refund(workspace: Workspace, clock: Clock, run_id: str) -> None:
    child = os.fork()
    if child == 0:
        os.environ["REFUND_DIES"] = "1"
        run_until_parked(Control(workspace, clock=clock), run_id, pacing=HASTY)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def save(workspace: Workspace, file: Path) -> None:
    """Write the workspace into a tar.gz, its control store as SQL."""
    with contextlib.closing(sqlite3.connect(workspace.root / "control.db")) as store:
        sql = "\n".join(store.iterdump()).encode()
    with tarfile.open(file, "w:gz") as archive:
        for path in sorted(workspace.root.iterdir()):
            if not path.name.startswith(_LEFT_OUT):
                archive.add(path, path.name)
        member = tarfile.TarInfo("control.sql")
        member.size = len(sql)
        archive.addfile(member, io.BytesIO(sql))


def restore(file: Path, root: Path) -> Workspace:
    """The workspace that was saved in ``file``, under ``root``."""
    with tarfile.open(file) as archive:
        archive.extractall(root, filter="data")
    for name in ("build", "exports"):
        (root / name).mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(root / "control.db")) as store:
        store.executescript((root / "control.sql").read_text(encoding="utf-8"))
    return Workspace.open(root)


def main(folder: Path) -> None:
    """Make one saved run of each case."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["EFFECTS_FILE"] = str(Path(scratch) / "effects.txt")
            workspace = Workspace.create(Path(scratch) / "workspace")
            make(workspace, Clock(SAVED_AT))
            save(workspace, folder / f"{name}.tar.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
