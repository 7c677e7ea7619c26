"""The disk: what it takes for bytes and names to survive a power cut."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import sys
from pathlib import Path

APPENDING = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def sync_file(fd: int) -> None:
    """Flush the data of ``fd`` to the device. Raises OSError: then nothing on the file can be trusted."""
    if sys.platform == "darwin":
        # fsync on macOS stops at the drive's cache; F_FULLFSYNC goes through it.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in ``folder`` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Make ``folder`` (and its parents) durably, if it is not there yet."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def open_lock(path: Path, mode: int = 0o640) -> int:
    """A descriptor of ``path`` to lock, made if it is not there; on a read-only disk as it is, or its folder.

    Who may only read then locks and reads like everyone else, and is refused when it comes to writing.
    Raises OSError.
    """
    try:
        return os.open(path, APPENDING, mode)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def write_all(fd: int, content: bytes) -> None:
    """Write all of ``content``. Raises OSError when the disk takes only a part."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def publish(temporary: Path, final: Path) -> None:
    """Give the finished file ``temporary`` its name ``final``: fsync, rename, fsync of the folder."""
    fd = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(final)
    sync_folder(final.parent)


def write_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a whole small file so that it is there completely or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(fd, content)
    finally:
        os.close(fd)
    publish(temporary, path)


def file_sha256(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
