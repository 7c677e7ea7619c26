"""The state of the log at a glance: what is sealed, who writes, what is signed."""

from __future__ import annotations

import datetime as dt
import fcntl
from dataclasses import dataclass
from pathlib import Path

from ingest.contract import parse_rfc3339
from ingest.log.checkpoint import checkpoint_files
from ingest.log.segments import ROW_GROUP_ROWS
from ingest.log.view import OpenFile, View, look, open_readers
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class OpenWriter:
    """A writer with unsealed events: how many, in how many bytes, and whether its process lives."""

    writer_id: str
    event_count: int
    file_bytes: int
    is_alive: bool


@dataclass(frozen=True, kw_only=True)
class LogStatus:
    """Counts of the log; bytes are file sizes. ``signed_lines`` is None when nothing was ever signed.

    ``missing_files`` are listed in the manifest and not there, or of another size.
    """

    sealed_events: int
    segment_count: int
    segment_bytes: int
    writer_count: int
    recovered_segments: int
    open_writers: tuple[OpenWriter, ...]
    payload_files: int
    payload_bytes: int
    manifest_lines: int
    signed_lines: int | None
    last_recorded_at: dt.datetime | None
    missing_files: tuple[str, ...]


def status(workspace: Workspace) -> LogStatus:
    """The state of the log now. Raises OSError, and SegmentError for a damaged manifest."""
    with look(workspace) as view:
        open_writers = _open_writers(view)
        segments, files = view.segments, view.sealed.files
        missing = [one.file for one in files if _size(workspace.lake_dir / one.file) != one.file_bytes]
        recorded = [parse_rfc3339(segment.max_recorded_at) for segment in segments]
    payloads = [path.stat().st_size for path in workspace.payload_dir.glob("month=*/*.parquet")]
    signed = [int(path.stem) for path in checkpoint_files(workspace) if path.stem.isdecimal()]
    return LogStatus(
        sealed_events=sum(file.count for file in files),
        segment_count=len(files),
        segment_bytes=sum(file.file_bytes for file in files),
        writer_count=len({segment.writer_id for segment in segments}),
        recovered_segments=sum(segment.is_recovered for segment in segments),
        open_writers=open_writers,
        payload_files=len(payloads),
        payload_bytes=sum(payloads),
        manifest_lines=len(view.lines),
        signed_lines=max(signed, default=None),
        last_recorded_at=max(recorded, default=None),
        missing_files=tuple(sorted(missing)),
    )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _open_writers(view: View) -> tuple[OpenWriter, ...]:
    found: dict[str, OpenWriter] = {}
    for file, reader in open_readers(view):
        if reader is not None:
            for _ in reader.chunks(ROW_GROUP_ROWS):
                pass
        events = reader.next_seq - file.name.first_seq if reader is not None else 0
        before = found.get(file.name.writer_id)
        found[file.name.writer_id] = OpenWriter(
            writer_id=file.name.writer_id,
            event_count=events + (before.event_count if before else 0),
            file_bytes=file.size + (before.file_bytes if before else 0),
            is_alive=_is_locked(file),
        )
    return tuple(found.values())


def _is_locked(file: OpenFile) -> bool:
    try:
        fcntl.flock(file.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file.fd, fcntl.LOCK_UN)
    return False
