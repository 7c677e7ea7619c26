"""One consistent look at the log: the manifest and the open line files at one moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ingest.errors import SegmentError
from ingest.log.disk import sync_file
from ingest.log.lake import SealedState, marked_files, reading, sealed_state
from ingest.log.manifest import Entry, Manifest, Segment, decode_lines, segments_of
from ingest.log.wal import ChainReader, Chunk, WalName, first_head, wal_names
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class OpenFile:
    """A line file that is not sealed: its name, an open descriptor, its size at the moment of the look."""

    name: WalName
    fd: int
    size: int


@dataclass(frozen=True, kw_only=True)
class View:
    """The log at one moment.

    ``lines`` are those of the manifest, ``entries`` and ``segments`` what they say, ``open_files`` the line
    files that no line covers yet, ``line_files`` the names of all line files, ``sealed_files`` the Parquet
    files that lie in the lake (paths below it), ``sealed`` which of them hold the events, and ``unlisted``
    the outputs of a compaction that is at work or was interrupted before its manifest line.
    """

    lines: list[bytes]
    entries: list[Entry]
    segments: list[Segment]
    open_files: list[OpenFile]
    line_files: list[WalName]
    sealed_files: list[str]
    sealed: SealedState
    unlisted: frozenset[str]


@contextmanager
def look(
    workspace: Workspace, decode: Callable[[Sequence[bytes]], list[Entry]] = decode_lines
) -> Iterator[View]:
    """The log as it is now. Sealing waits while the look is taken, not while it is used.

    The bytes of open files are made durable before they are shown, so nothing seen here can vanish.
    ``decode`` reads the manifest's lines. Raises OSError, and SegmentError for a damaged manifest.
    """
    with ExitStack() as stack:
        stack.enter_context(reading(workspace))
        with Manifest(workspace).frozen() as lines:
            entries = decode(lines)
            segments = segments_of(entries)
            covered = {(segment.writer_id, segment.first_seq) for segment in segments}
            names = wal_names(workspace.wal_dir)
            opened = [
                (name, stack.enter_context(_opened(name, workspace)))
                for name in names
                if (name.writer_id, name.first_seq) not in covered
            ]
            files = [OpenFile(name=name, fd=fd, size=os.fstat(fd).st_size) for name, fd in opened]
            sealed = sorted(
                path.relative_to(workspace.lake_dir).as_posix()
                for path in workspace.lake_dir.rglob("*.parquet")
            )
            unlisted = frozenset(marked_files(workspace).values())
        for file in files:
            sync_file(file.fd)
        yield View(
            lines=lines,
            entries=entries,
            segments=segments,
            open_files=files,
            line_files=names,
            sealed_files=sealed,
            sealed=sealed_state(entries),
            unlisted=unlisted,
        )


@contextmanager
def _opened(name: WalName, workspace: Workspace) -> Iterator[int]:
    fd = os.open(name.path(workspace.wal_dir), os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def head_before(name: WalName, segments: Sequence[Segment]) -> bytes | None:
    """The chain value before the first line of ``name`` as the sealed ``segments`` know it, or None."""
    if name.first_seq == 0:
        return first_head(name.writer_id)
    for segment in segments:
        if segment.writer_id == name.writer_id and segment.last_seq == name.first_seq - 1:
            return bytes.fromhex(segment.head)
    return None


def open_readers(view: View) -> Iterator[tuple[OpenFile, ChainReader | None]]:
    """A reader for each open file, in chain order; None where the events before it are missing.

    A reader must be read to its end before the next one is asked for.
    """
    before: ChainReader | None = None
    previous: OpenFile | None = None
    for file in view.open_files:
        head = head_before(file.name, view.segments)
        is_next = previous is not None and previous.name.writer_id == file.name.writer_id
        if head is None and is_next and before is not None and before.next_seq == file.name.first_seq:
            head = before.head
        reader = ChainReader(file.fd, file.size, first_seq=file.name.first_seq, head=head) if head else None
        yield file, reader
        before, previous = reader, file


def open_chunks(view: View, row_count: int) -> Iterator[tuple[OpenFile, Chunk]]:
    """The valid events of the open files, by writer, in chunks of about ``row_count``.

    Raises SegmentError when the events before an open file are missing.
    """
    for file, reader in open_readers(view):
        if reader is None:
            raise SegmentError(
                f"Log incomplete: {file.name.writer_id} has events from seq {file.name.first_seq} in wal/, "
                "but those before are missing. Run `fleetbook verify` and restore the missing files "
                "from a backup."
            )
        for chunk in reader.chunks(row_count):
            yield file, chunk
