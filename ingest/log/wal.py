"""The write-ahead log: hash-chained lines of one writer, durable before they are acknowledged.

A line is ``hex(h_n) SP body LF`` with ``h_n = SHA256("fleetbook/event/v1\\0" || h_{n-1} || body)`` and
``h_-1 = SHA256("fleetbook/writer/v1\\0" || writer_id)``. The hash is the checksum: what counts after a
crash is the longest prefix of lines whose chain is right.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ingest.errors import SegmentError
from ingest.log.disk import sync_file, sync_folder, write_all

EVENT_LABEL = b"fleetbook/event/v1\0"
WRITER_LABEL = b"fleetbook/writer/v1\0"
SUFFIX = ".wal"
_BLOCK_BYTES = 8 << 20
_HASH_CHARACTERS = 64
LINE_FRAME_BYTES = _HASH_CHARACTERS + 2  # of a line beside its body: chain value, space, LF


def first_head(writer_id: str) -> bytes:
    """The chain value before the first event of ``writer_id`` (32 bytes)."""
    return sha256(WRITER_LABEL + writer_id.encode()).digest()


def next_head(head: bytes, body: bytes) -> bytes:
    """The chain value of the event with the canonical ``body`` after ``head`` (32 bytes)."""
    return sha256(EVENT_LABEL + head + body).digest()


@dataclass(frozen=True, kw_only=True, order=True)
class WalName:
    """Name of one line file: its writer and the number of its first line."""

    writer_id: str
    first_seq: int

    def path(self, folder: Path) -> Path:
        """Where the file lies in ``folder``."""
        return folder / f"{self.writer_id}-{self.first_seq}{SUFFIX}"

    @classmethod
    def parse(cls, name: str) -> WalName | None:
        """The name in ``<writer_id>-<first_seq>.wal``, or None for any other file."""
        writer_id, _, number = name.removesuffix(SUFFIX).rpartition("-")
        if not name.endswith(SUFFIX) or not writer_id or not number.isdecimal():
            return None
        return cls(writer_id=writer_id, first_seq=int(number))


def wal_names(folder: Path) -> list[WalName]:
    """The line files in ``folder``, by writer and first line."""
    if not folder.is_dir():
        return []
    return sorted(name for path in folder.iterdir() if (name := WalName.parse(path.name)))


class LineFile:
    """One append-only file, locked by the process that writes it for as long as that process lives."""

    def __init__(self, path: Path, fd: int, size: int) -> None:
        self.path = path
        self.fd = fd
        self.size = size

    @classmethod
    def create(cls, path: Path) -> LineFile:
        """Make, lock and durably name a new file. Raises OSError, FileExistsError when it is there."""
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
            fcntl.flock(fd, fcntl.LOCK_EX)
            # A recovery may have taken the empty file for a dead one between open and lock, and removed it.
            if os.fstat(fd).st_nlink:
                sync_folder(path.parent)
                return cls(path, fd, 0)
            os.close(fd)

    @classmethod
    def adopt(cls, path: Path) -> LineFile | None:
        """Lock the file of a dead process; None when its process lives or when it was removed meanwhile."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        status = os.fstat(fd)
        if not status.st_nlink:
            os.close(fd)
            return None
        return cls(path, fd, status.st_size)

    def append(self, content: bytes) -> None:
        """Write ``content``, return when it is on the device. Raises OSError: then the file is done for."""
        write_all(self.fd, content)
        sync_file(self.fd)
        self.size += len(content)

    def remove(self) -> None:
        """Unlink the file durably, then give up its lock."""
        self.path.unlink()
        sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """Give up the file and its lock; the bytes stay. Harmless when done twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        """A forgotten writer must not keep its lock: then no recovery could seal what it wrote."""
        self.close()


def insist_on_all(name: WalName, valid_bytes: int, size: int) -> None:
    """Raise SegmentError unless a living writer's own file reads back whole: it wrote every byte itself."""
    if valid_bytes != size:
        raise SegmentError(
            f"Not sealed: {name.writer_id}-{name.first_seq}{SUFFIX} reads back {valid_bytes} valid bytes "
            f"of {size}. The disk changed what was written: check it, then run `fleetbook recover`."
        )


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Consecutive valid lines: number of the first, chain values in hex, canonical bodies."""

    first_seq: int
    hashes: list[str]
    bodies: list[bytes]


def complete_lines(fd: int, size: int, start: int = 0) -> Iterator[list[bytes]]:
    """The finished lines in the bytes ``start`` to ``size`` of ``fd``, without LF, block by block."""
    offset = start
    rest = b""
    while offset < size:
        block = os.pread(fd, min(_BLOCK_BYTES, size - offset), offset)
        if not block:
            return
        offset += len(block)
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        yield lines


class ChainReader:
    """Reads the longest valid prefix of a line file, in chunks, so that memory stays flat.

    After the last chunk ``next_seq``, ``head`` and ``valid_bytes`` say where the valid prefix ends.
    """

    def __init__(self, fd: int, size: int, *, first_seq: int, head: bytes) -> None:
        self._fd = fd
        self.size = size
        self.next_seq = first_seq
        self.head = head
        self.valid_bytes = 0

    def resume(self, valid_bytes: int, next_seq: int, head: bytes) -> None:
        """Begin where an earlier reader of the same file ended."""
        self.valid_bytes, self.next_seq, self.head = valid_bytes, next_seq, head

    def chunks(self, row_count: int) -> Iterator[Chunk]:
        """Chunks of about ``row_count`` rows (a block more at most)."""
        chunk = Chunk(first_seq=self.next_seq, hashes=[], bodies=[])
        for lines in complete_lines(self._fd, self.size, self.valid_bytes):
            is_whole = self._take(lines, chunk)
            if len(chunk.bodies) >= row_count or (chunk.bodies and not is_whole):
                yield chunk
                chunk = Chunk(first_seq=self.next_seq, hashes=[], bodies=[])
            if not is_whole:
                return
        if chunk.bodies:
            yield chunk

    def _take(self, lines: list[bytes], chunk: Chunk) -> bool:
        """Add the valid lines to ``chunk``; False at the first line that does not continue the chain."""
        head = self.head
        taken = 0
        for line in lines:
            body = line[_HASH_CHARACTERS + 1 :]
            following = sha256(EVENT_LABEL + head + body).digest()
            text = following.hex()
            if line[: _HASH_CHARACTERS + 1] != f"{text} ".encode():
                break
            head = following
            chunk.hashes.append(text)
            chunk.bodies.append(body)
            self.valid_bytes += len(line) + 1
            taken += 1
        self.head = head
        self.next_seq += taken
        return taken == len(lines)
