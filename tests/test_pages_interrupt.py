"""Ctrl-C ends what waits for a child, whatever was imported before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The child is a process that ends only when told; polars takes SIGINT over when it is imported.
WAITING = """
import polars, subprocess, sys
from app.commands.serve import interruptible
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
with interruptible():
    try:
        print("waiting", flush=True)
        child.wait()
    except KeyboardInterrupt:
        print("interrupted")
child.stdin.close()
child.wait()
"""


def test_ctrl_c_ends_a_wait_for_the_pages_although_polars_was_imported() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "interrupted\n")
