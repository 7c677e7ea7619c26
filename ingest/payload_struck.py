"""Struck texts: erased while the line file that holds them was still open, so that sealing leaves them out.

Sealing and verifying share a lock; an erasure has it alone, so that nothing is sealed or judged half way.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.log.disk import make_folder, open_lock, sync_file, sync_folder, write_all
from ingest.payloads import is_payload_id
from ingest.workspace import Workspace

_LOCK = ".erasure.lock"
_STRUCK = "struck.ids"


@contextmanager
def texts_kept(workspace: Workspace) -> Iterator[None]:
    """While the ``with`` block lasts, no erasure begins."""
    with _locked(workspace.payload_dir, fcntl.LOCK_SH):
        yield


@contextmanager
def texts_alone(workspace: Workspace) -> Iterator[None]:
    """While the ``with`` block lasts, nobody seals or verifies texts."""
    with _locked(workspace.payload_dir, fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(folder: Path, operation: int) -> Iterator[None]:
    make_folder(folder)
    fd = open_lock(folder / _LOCK)
    try:
        fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)


def strike(workspace: Workspace, payload_ids: Iterable[str]) -> None:
    """List ``payload_ids`` durably: from now on they are neither shown nor sealed. Raises OSError."""
    content = "".join(f"{payload_id}\n" for payload_id in sorted(payload_ids)).encode()
    if not content:
        return
    path = workspace.payload_dir / _STRUCK
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        # A line that a crash tore is no payload id; the line feed keeps it apart from what comes now.
        write_all(fd, b"\n" + content)
        sync_file(fd)
    finally:
        os.close(fd)
    sync_folder(workspace.payload_dir)


def struck_ids(workspace: Workspace) -> frozenset[str]:
    """The payload ids that were struck."""
    try:
        text = (workspace.payload_dir / _STRUCK).read_text(encoding="utf-8")
    except FileNotFoundError:
        return frozenset()
    return frozenset(line for line in text.splitlines() if is_payload_id(line))
