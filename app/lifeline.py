"""A process that ends with the one that started it, also when that one is killed.

The starter holds the writing end of a pipe and never writes. Its children inherit the reading end: they see
the end of the file when the starter is gone, however it went, and end themselves in order. Without it
a killed `fleetbook serve` left pages behind that held the port, and `fleetbook up` could start no others.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_VARIABLE = "FLEETBOOK_LIFELINE"  # the descriptor, from starter to child; no setting for people


class Lifeline:
    """What ties the processes started through it to this one."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()  # only the reading end is ever inherited

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        is_silent: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start ``command`` in a session of its own, so that Ctrl-C reaches only this process.

        ``environment`` is added to this process's; ``is_silent`` drops what it prints, but for its errors.
        """
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {}), _VARIABLE: str(self._reading)},
            stdout=subprocess.DEVNULL if is_silent else None,
            pass_fds=(self._reading,),
            start_new_session=True,
        )

    def close(self) -> None:
        """Let go: what still runs ends itself."""
        for descriptor in (self._reading, self._writing):
            os.close(descriptor)


def hold() -> None:
    """End in order (SIGTERM) when the starter is gone; nothing in a process without a lifeline."""
    told = os.environ.pop(_VARIABLE, None)
    if told is not None:
        descriptor = int(told)
        os.set_inheritable(descriptor, False)
        threading.Thread(target=_follow, args=(descriptor,), name="lifeline", daemon=True).start()


def _follow(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)
