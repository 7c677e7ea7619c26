"""What runs beside the pages of the demo: a worker for runs, and a builder that renews the warehouse."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.workspace import Workspace

COMMANDS = (
    ("-m", "app.cli", "worker"),
    ("-m", "app.demo.renewing"),
)
STOP_SECONDS = 15  # a worker ends after the runs in hand have ended or parked
_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def beside(workspace: Workspace) -> Iterator[None]:
    """Keep worker and builder running while this is open; both end in order when it closes."""
    environment = os.environ | {"FLEETBOOK_HOME": str(workspace.root)}
    children: list[subprocess.Popen[bytes]] = []
    try:
        for arguments in COMMANDS:
            children.append(
                subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=_ROOT,
                    env=environment,
                    stdout=subprocess.DEVNULL,  # errors stay on the terminal
                    start_new_session=True,  # Ctrl-C ends the pages first, then these
                )
            )
        yield
    finally:
        for child in children:
            child.terminate()
        for child in children:
            _wait(child)


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
