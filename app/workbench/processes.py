"""Processes of their own for the workbench: no environment, a time limit, and nothing left when they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).resolve().parent


class Ended(NamedTuple):
    """How a process ended: its exit code (negative: the signal), its output, and whether time ran out."""

    code: int
    output: bytes
    errors: str
    is_out_of_time: bool


def run(
    program: str, request: bytes, *, seconds: float, descriptors: Sequence[int] = (), tells_errors: bool
) -> Ended:
    """Run the program ``<program>.py`` of this folder with ``request`` on its standard input.

    It inherits ``descriptors`` and no environment, and is killed with all it started after ``seconds``.
    With ``tells_errors`` what it says on standard error is returned, else it is dropped.
    """
    process = subprocess.Popen(
        # -I: neither the environment nor the folder it starts in decides what it imports.
        [sys.executable, "-I", str(_HERE / f"{program}.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if tells_errors else subprocess.DEVNULL,
        cwd="/",
        env={"MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8"},
        pass_fds=tuple(descriptors),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(request, timeout=seconds)
        return Ended(process.returncode, output, (errors or b"").decode(errors="replace"), False)
    except subprocess.TimeoutExpired:
        return Ended(-signal.SIGKILL, b"", "", True)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
