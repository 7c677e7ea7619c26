"""Recovery: what dead writers left behind is sealed, and the log says so. Safe at any time, by anyone."""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ingest.contract import Value, derived_event_id, parse_rfc3339
from ingest.log.compact import tidy
from ingest.log.disk import make_folder, write_file
from ingest.log.manifest import Manifest, Segment, segments_of
from ingest.log.segments import seal
from ingest.log.view import head_before
from ingest.log.wal import ChainReader, LineFile, WalName, wal_names
from ingest.log.writer import LogWriter, utc_now
from ingest.payload_store import seal_payloads
from ingest.payloads import PayloadReader, open_payload_dir
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """One dead writer: its id, the events of its chain, the time of the last, and the torn bytes."""

    writer_id: str
    event_count: int
    last_recorded_at: dt.datetime
    torn_bytes: int


@dataclass(frozen=True, kw_only=True)
class RecoverReport:
    """What a recovery did: writers and payload texts sealed, leftovers removed, and what it left alone."""

    writers: tuple[Recovered, ...] = ()
    payload_count: int = 0
    swept_files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def recover(workspace: Workspace, *, clock: Callable[[], dt.datetime] = utc_now) -> RecoverReport:
    """Seal the line files of writers that are dead, and record each with ``log_recovered``.

    A writer is dead when nobody holds the lock of any of its files. Order: seal, manifest line, event,
    and only then the line file goes; whatever interrupts this, the next recovery does the rest.
    Raises OSError, WriterError and SegmentError.
    """
    payload_count = _recover_payloads(workspace)
    recovered: list[Recovered] = []
    problems: list[str] = []
    with ExitStack() as stack:
        recoverer: LogWriter | None = None
        for files in _dead_writers(workspace):
            with ExitStack() as locks:
                for file in files:
                    locks.callback(file.close)
                dead = _DeadWriter(workspace, files)
                dead.seal(clock())
                if dead.problem:
                    problems.append(dead.problem)
                if dead.found:
                    if recoverer is None:
                        recoverer = stack.enter_context(_recoverer(workspace, clock))
                    recoverer.append([_record(dead.found, clock())])
                    recovered.append(dead.found)
                for file in dead.finished:
                    file.remove()
    return RecoverReport(
        writers=tuple(recovered),
        payload_count=payload_count,
        swept_files=(*_sweep(workspace), *tidy(workspace)),
        problems=tuple(problems),
    )


class _DeadWriter:
    """The locked line files of one dead writer, and what sealing them found."""

    def __init__(self, workspace: Workspace, files: list[LineFile]) -> None:
        self._workspace = workspace
        self._files = files
        self.finished: list[LineFile] = []
        self.found: Recovered | None = None
        self.problem = ""

    def seal(self, now: dt.datetime) -> None:
        """Seal file after file, in chain order; stop at one whose beginning is missing."""
        for file in self._files:
            name = WalName.parse(file.path.name)
            if name is None or not self._seal_file(file, name, now):
                return
            self.finished.append(file)

    def _seal_file(self, file: LineFile, name: WalName, now: dt.datetime) -> bool:
        # Read under the file's lock: another recovery may have sealed it and died before removing it.
        segments = segments_of(Manifest(self._workspace).entries())
        head = head_before(name, segments)
        if head is None:
            self.problem = (
                f"{file.path.name} stays: the events of {name.writer_id} before seq {name.first_seq} "
                "are missing. "
                "Run `fleetbook verify` and restore them from a backup."
            )
            return False
        segment = next(
            (s for s in segments if (s.writer_id, s.first_seq) == (name.writer_id, name.first_seq)), None
        )
        if not file.size:
            return self._note_end_before(name, segments)
        reader = ChainReader(file.fd, file.size, first_seq=name.first_seq, head=head)
        if segment is None:
            segment = seal(
                self._workspace, reader, writer_id=name.writer_id, sealed_at=now, is_recovered=True
            )
        else:
            for _ in reader.chunks(1):
                pass
        self._set_torn_bytes_aside(file, name, reader.valid_bytes)
        self.found = Recovered(
            writer_id=name.writer_id,
            event_count=reader.next_seq,
            last_recorded_at=parse_rfc3339(segment.max_recorded_at) if segment else now,
            torn_bytes=file.size - reader.valid_bytes + (self.found.torn_bytes if self.found else 0),
        )
        return True

    def _note_end_before(self, name: WalName, segments: Sequence[Segment]) -> bool:
        """An empty file: without events it never was a writer; after sealed ones their end is recorded."""
        before = [s for s in segments if s.writer_id == name.writer_id and s.last_seq == name.first_seq - 1]
        if before and self.found is None:
            self.found = Recovered(
                writer_id=name.writer_id,
                event_count=name.first_seq,
                last_recorded_at=parse_rfc3339(before[0].max_recorded_at),
                torn_bytes=0,
            )
        return True

    def _set_torn_bytes_aside(self, file: LineFile, name: WalName, valid_bytes: int) -> None:
        if valid_bytes == file.size:
            return
        make_folder(self._workspace.quarantine_dir)
        torn = os.pread(file.fd, file.size - valid_bytes, valid_bytes)
        write_file(
            self._workspace.quarantine_dir / f"{name.writer_id}-{name.first_seq}.torn", torn, mode=0o640
        )


def _dead_writers(workspace: Workspace) -> Iterator[list[LineFile]]:
    """The line files of each dead writer, locked, in chain order."""
    names = wal_names(workspace.wal_dir)
    for _, group in itertools.groupby(names, key=lambda name: name.writer_id):
        files: list[LineFile] = []
        for name in group:
            path = name.path(workspace.wal_dir)
            file = LineFile.adopt(path)
            if file is None and path.exists():
                break  # its writer lives, or another recovery is at it
            if file is not None:
                files.append(file)
        else:
            if files:
                yield files
            continue
        for file in files:
            file.close()


def _recoverer(workspace: Workspace, clock: Callable[[], dt.datetime]) -> LogWriter:
    return LogWriter(workspace, recorded_via="log", process_name="fleetbook recover", clock=clock)


def _record(found: Recovered, now: dt.datetime) -> dict[str, Value]:
    """The event of a recovery; its id is derived, so that a repeated recovery repeats it recognisably."""
    return {
        "event_id": derived_event_id(
            found.last_recorded_at, "log_recovered", found.writer_id, str(found.event_count)
        ),
        "event_type": "log_recovered",
        "occurred_at": now,
        "recovered_writer_id": found.writer_id,
        "reason": f"writer {found.writer_id} ended without sealing its events",
        "torn_bytes": found.torn_bytes,
        "declared_count": found.event_count,
    }


def _recover_payloads(workspace: Workspace) -> int:
    folder = open_payload_dir(workspace)
    count = 0
    for name in wal_names(folder):
        file = LineFile.adopt(name.path(folder))
        if file is None:
            continue
        try:
            count += seal_payloads(workspace, PayloadReader(file.fd, file.size), name, is_recovered=True)
            file.remove()
        finally:
            file.close()
    return count


def _sweep(workspace: Workspace) -> Iterator[str]:
    """Remove half-made files whose line file is gone: nobody will finish them."""
    for folder, line_folder in (
        (workspace.lake_dir, workspace.wal_dir),
        (workspace.payload_dir, open_payload_dir(workspace)),
    ):
        for temporary in sorted(folder.glob("*.parquet.tmp")):
            if not (line_folder / f"{_stem(temporary)}.wal").exists():
                temporary.unlink(missing_ok=True)
                yield temporary.name


def _stem(temporary: Path) -> str:
    return temporary.name.partition(".")[0]
