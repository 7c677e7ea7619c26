"""``fleetbook worker`` in a process of its own, and waiting for what it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.conftest import ROOT


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another process, at most a minute."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def worker(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The worker with ``arguments``; killed at the end of the block when it still works."""
    command = [sys.executable, "-m", "app.cli", "worker", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
