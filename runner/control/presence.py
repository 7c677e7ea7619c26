"""Who holds a lease, and whether that process still lives.

A process holds an advisory lock on ``<workspace>/locks/<owner>.lock`` as long as it lives; the operating
system gives the lock back after a kill -9. So a dead holder on this machine is known at once; one on another
machine is known when its lease has run out.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import secrets
from pathlib import Path

from ingest.shared.machines import machine_id
from ingest.workspace import Workspace


class Presence:
    """This process as a holder of leases; the lock is taken when the owner name is first asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.root / "locks"
        # Two machines may have one host name, as containers do; each has a workspace of its own.
        self._host = machine_id(workspace)
        self._owner: str | None = None
        self._pid = 0
        self._file = -1

    @property
    def owner(self) -> str:
        """Name under which this process holds leases: machine, process id and a random part."""
        if self._owner is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._owner = f"{self._host}~{self._pid}~{secrets.token_hex(4)}"
            self._folder.mkdir(exist_ok=True)
            self._file = os.open(self._path(self._owner), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._owner

    def is_gone(self, owner: str, until: dt.datetime | None, now: dt.datetime) -> bool:
        """True when ``owner`` can no longer be at work: dead on this machine, or its lease ran out."""
        if owner == self._owner and self._pid == os.getpid():
            return False
        if until is None or until <= now:
            return True
        return owner.partition("~")[0] == self._host and self._is_unlocked(self._path(owner))

    def close(self) -> None:
        """Give up the lock and remove its file."""
        if self._owner is not None and self._pid == os.getpid():
            self._path(self._owner).unlink(missing_ok=True)
            os.close(self._file)
        self._owner = None

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"

    def _is_unlocked(self, path: Path) -> bool:
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            path.unlink(missing_ok=True)  # nobody will hold it again: the name has a random part
            return True
        finally:
            os.close(file)
