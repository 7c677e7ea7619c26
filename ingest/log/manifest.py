"""The manifest: append-only list of what is sealed; each line is a leaf of the log's Merkle tree."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from ingest.errors import SegmentError
from ingest.log.disk import APPENDING, open_lock, sync_file, sync_folder, write_all
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One sealed file: whose events, which, between which chain values, and the file that holds them."""

    kind: Literal["segment"] = "segment"
    writer_id: str
    first_seq: int
    last_seq: int
    count: int
    prev_head: str  # chain value before the first event, in hex
    head: str  # chain value of the last event, in hex
    min_recorded_at: str
    max_recorded_at: str
    file: str  # path below lake/
    file_bytes: int
    file_sha256: str
    schema_version: int
    is_recovered: bool
    torn_bytes: int  # bytes after the valid prefix that recovery set aside
    sealed_at: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """Chain value of a writer that was still open: it binds the events that are not sealed yet."""

    kind: Literal["head"] = "head"
    writer_id: str
    seq: int
    head: str
    noted_at: str


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive events of one writer in a file, and the chain values (hex) before and at their end."""

    writer_id: str
    first_seq: int
    last_seq: int
    prev_head: str
    head: str


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """One file that took the place of others: the same events, in another order."""

    kind: Literal["compaction"] = "compaction"
    file: str  # path below lake/
    file_bytes: int
    file_sha256: str
    count: int
    min_recorded_at: str
    max_recorded_at: str
    schema_version: int
    inputs: tuple[str, ...]  # the files it replaces
    stretches: tuple[Stretch, ...]  # by writer and first event
    compacted_at: str


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Files whose events were deleted because their retention had ended; every other line stays."""

    kind: Literal["prune"] = "prune"
    files: tuple[str, ...]
    count: int  # events
    stretches: tuple[Stretch, ...]
    min_recorded_at: str
    max_recorded_at: str
    retention_days: int
    pruned_by: str
    reason: str
    pruned_at: str


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A legal hold: what it covers is neither pruned nor erased. Without run and agent it covers all."""

    kind: Literal["hold"] = "hold"
    hold_id: str
    run_id: str | None
    agent_id: str | None
    reason: str
    placed_by: str
    placed_at: str


@dataclass(frozen=True, kw_only=True)
class HoldReleased:
    """The end of a legal hold."""

    kind: Literal["hold_released"] = "hold_released"
    hold_id: str
    reason: str
    released_by: str
    released_at: str


Entry: TypeAlias = Segment | Head | Compaction | Prune | Hold | HoldReleased
_KINDS: dict[str, type[Entry]] = {
    kind.kind: kind for kind in (Segment, Head, Compaction, Prune, Hold, HoldReleased)
}
_ENCODER = msgspec.json.Encoder(order="sorted")


class _Kind(msgspec.Struct):
    kind: str


def encode_entry(entry: Entry) -> bytes:
    """The manifest line of ``entry``, without LF: canonical JSON."""
    return _ENCODER.encode(entry)


def decode_entry(line: bytes, number: int) -> Entry:
    """The entry of a manifest ``line``. Raises SegmentError when it is damaged or of an unknown kind."""
    try:
        kind = _KINDS[msgspec.json.decode(line, type=_Kind).kind]
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError) as error:
        raise SegmentError(
            f"Manifest unreadable: line {number} is no entry this release knows ({error}). "
            "Run `fleetbook verify`; restore manifest.jsonl from a backup, or update Fleetbook."
        ) from error


class Manifest:
    """The manifest of one workspace. Every access takes the file's lock: readers see whole lines only."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path = workspace.manifest_file

    @contextmanager
    def _locked(self, operation: int) -> Iterator[int]:
        is_new = not self._path.exists()
        is_reading = operation == fcntl.LOCK_SH
        fd = open_lock(self._path) if is_reading else os.open(self._path, APPENDING, 0o640)
        try:
            fcntl.flock(fd, operation)
            if is_new:
                sync_folder(self._path.parent)
            yield fd
        finally:
            os.close(fd)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add ``entries`` durably, in the copy of a shared record at its place first. Raises OSError.

        The torn line of a crashed process was never relied on and goes first.
        """
        lines = [encode_entry(entry) for entry in entries]
        if self._workspace.origin_file.exists():
            from ingest.shared.adding import add_to_record

            add_to_record(self._workspace, lines)
        else:
            self.append_lines(lines)

    def append_lines(self, lines: Sequence[bytes], *, first: Callable[[], None] = lambda: None) -> None:
        """Add ``lines`` (without LF) durably, right after ``first``. Raises OSError."""
        with self._locked(fcntl.LOCK_EX) as fd:
            first()
            _drop_torn_line(fd)
            write_all(fd, b"".join(line + b"\n" for line in lines))
            sync_file(fd)

    @contextmanager
    def frozen(self) -> Iterator[list[bytes]]:
        """The lines (without LF), durable; while the ``with`` block lasts, nobody adds one or seals."""
        with self._locked(fcntl.LOCK_SH) as fd:
            # A process may have died between its write and its fsync; what is read here may be signed.
            sync_file(fd)
            yield _read_lines(fd)

    def lines(self) -> list[bytes]:
        """The lines as they are now, without LF."""
        with self.frozen() as lines:
            return lines

    def entries(self) -> list[Entry]:
        """Everything listed. Raises SegmentError for a damaged line."""
        return decode_lines(self.lines())


def decode_lines(lines: Sequence[bytes]) -> list[Entry]:
    """The entries of manifest ``lines``. Raises SegmentError for a damaged line."""
    return [decode_entry(line, number) for number, line in enumerate(lines, start=1)]


def written_at(entry: Entry) -> str:
    """When ``entry`` was written, RFC 3339."""
    match entry:
        case Segment():
            return entry.sealed_at
        case Head():
            return entry.noted_at
        case Compaction():
            return entry.compacted_at
        case Prune():
            return entry.pruned_at
        case Hold():
            return entry.placed_at
        case HoldReleased():
            return entry.released_at


def segments_of(entries: Sequence[Entry]) -> list[Segment]:
    """The segments among ``entries``, by writer and first event."""
    found = [entry for entry in entries if isinstance(entry, Segment)]
    return sorted(found, key=lambda segment: (segment.writer_id, segment.first_seq))


def _read_lines(fd: int) -> list[bytes]:
    content = bytearray()
    while block := os.pread(fd, 1 << 20, len(content)):
        content += block
    return bytes(content).split(b"\n")[:-1]


def _drop_torn_line(fd: int) -> None:
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        os.ftruncate(fd, sum(len(line) + 1 for line in _read_lines(fd)))
