"""The intake: files of a foreign format become events of the log, each exactly once.

Every file is read through and checked before the first event is written. Ids are derived from the source, so
an import that was killed, or is repeated, writes what is missing and nothing else.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.contract import validate
from ingest.errors import SourceError
from ingest.importers import quarantine
from ingest.importers.formats import (
    Draft,
    EventDict,
    ImportedRun,
    ImportFormat,
    Reading,
    Rejected,
    find_format,
)
from ingest.importers.mapping import load_mappings
from ingest.importers.source import SourceFile
from ingest.log.writer import LogWriter
from ingest.payloads import Payload, make_payload
from ingest.reader import event_ids
from ingest.workspace import Workspace

BATCH_EVENTS = 2_000  # one fdatasync per batch; a batch of tau2 runs is about 5 MB of texts


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What the caller asked for: format, files, and where the runs belong."""

    format_name: str
    files: tuple[Path, ...]
    team: str | None = None
    agent: str | None = None
    mapping_file: Path | None = None
    time_zone: str = "UTC"


@dataclass(kw_only=True)
class FileReport:
    """Runs of one file: seen = new + completed + known + quarantined, and the events written for them."""

    source_name: str
    seen: int = 0
    new: int = 0
    completed: int = 0
    known: int = 0
    quarantined: int = 0
    events_written: int = 0
    rejects: list[Rejected] = field(default_factory=list)
    quarantine_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class IntakeReport:
    """The outcome of one import: a row per file, and runs per (source agent, agent id)."""

    files: tuple[FileReport, ...]
    agents: Counter[tuple[str, str]]


Progress = Callable[[str, str, int], None]
"""Called with the step (``checking`` or ``writing``), the file name and the runs done in it."""


def take_in(workspace: Workspace, intent: Intent, progress: Progress | None = None) -> IntakeReport:
    """Import ``intent.files`` into the log of ``workspace`` and report what was new.

    Raises SourceError or MappingError before anything is written, and WriterError when the log fails; after a
    failure in the middle the same command carries on.
    """
    tell = progress or _silent
    source_format = find_format(intent.format_name)
    reading = Reading(
        places=load_mappings(
            workspace, team=intent.team, agent=intent.agent, mapping_file=intent.mapping_file
        ),
        time_zone=_zone(intent.time_zone),
    )
    sources = [SourceFile(path) for path in intent.files]
    with _one_at_a_time(workspace):
        stamps = [_stamp(source) for source in sources]
        reports = [_check(source_format, source, reading, tell) for source in sources]
        for source, report in zip(sources, reports, strict=True):
            if report.rejects:
                report.quarantine_file = quarantine.put(
                    workspace, source_format.name, source.name, report.rejects
                )
        agents = _Writing(workspace, source_format, reading, tell).run(sources, stamps, reports)
    return IntakeReport(files=tuple(reports), agents=agents)


def _silent(step: str, source_name: str, runs: int) -> None:
    return None


def _check(source_format: ImportFormat, source: SourceFile, reading: Reading, tell: Progress) -> FileReport:
    """Read one file to its end and validate every event that it would write."""
    report = FileReport(source_name=source.name)
    for item in source_format.read(source, reading):
        report.seen += 1
        if isinstance(item, Rejected):
            report.rejects.append(item)
            report.quarantined += 1
        else:
            for draft in item.drafts:
                validate(draft.event)
        tell("checking", source.name, report.seen)
    return report


class _Writing:
    """The second pass: what is not in the log yet is appended, a few runs at a time."""

    def __init__(
        self, workspace: Workspace, source_format: ImportFormat, reading: Reading, tell: Progress
    ) -> None:
        self._workspace = workspace
        self._format = source_format
        self._reading = reading
        self._tell = tell
        self._via = f"import:{source_format.name}"
        self._known = event_ids(workspace, recorded_via=self._via)
        self._writer: LogWriter | None = None
        self._events: list[EventDict] = []
        self._payloads: list[Payload] = []

    def run(
        self, sources: Sequence[SourceFile], stamps: Sequence[tuple[int, int]], reports: Sequence[FileReport]
    ) -> Counter[tuple[str, str]]:
        """Append the missing events of every source, count them into ``reports``, return runs per agent."""
        agents: Counter[tuple[str, str]] = Counter()
        try:
            for source, stamp, report in zip(sources, stamps, reports, strict=True):
                if _stamp(source) != stamp:
                    raise SourceError(
                        f"Import stopped: {source.path} changed while it was read. Run the command again."
                    )
                self._file(source, report, agents)
            self._flush()
        finally:
            if self._writer:
                self._writer.close()
        return agents

    def _file(self, source: SourceFile, report: FileReport, agents: Counter[tuple[str, str]]) -> None:
        for item in self._format.read(source, self._reading):
            if isinstance(item, Rejected):
                continue
            written = self._take(item)
            agents[item.source_agent, item.agent_id] += 1
            report.events_written += written
            if written == len(item.drafts):
                report.new += 1
            elif written:
                report.completed += 1
            else:
                report.known += 1
            self._tell("writing", source.name, report.new + report.completed + report.known)

    def _take(self, run: ImportedRun) -> int:
        missing = [draft for draft in run.drafts if draft.event["event_id"] not in self._known]
        for draft in missing:
            self._add(draft)
            self._known.add(str(draft.event["event_id"]))
        if len(self._events) >= BATCH_EVENTS:
            self._flush()
        return len(missing)

    def _add(self, draft: Draft) -> None:
        event = dict(draft.event)
        if draft.text is not None:
            payload, columns = make_payload(
                draft.text, kind=draft.text_kind, occurred_at=draft.occurred_at, run_id=str(event["run_id"])
            )
            event.update(columns)
            self._payloads.append(payload)
        self._events.append(event)

    def _flush(self) -> None:
        if not self._events:
            return
        if self._writer is None:
            # Opened late: an import that brings nothing new leaves no trace in the log.
            self._writer = LogWriter(
                self._workspace, recorded_via=self._via, process_name=f"import {self._format.name}"
            )
        self._writer.append(self._events, self._payloads)
        self._events, self._payloads = [], []


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SourceError(
            f"Nothing imported: unknown time zone {name!r}. Use an IANA name such as Europe/Berlin."
        ) from error


def _stamp(source: SourceFile) -> tuple[int, int]:
    """Size and time of the file, to notice a change between the two passes; (0, 0) when it is missing."""
    try:
        found = source.path.stat()
    except OSError:
        return (0, 0)
    return (found.st_size, found.st_mtime_ns)


@contextmanager
def _one_at_a_time(workspace: Workspace) -> Iterator[None]:
    """Two imports at once would both find an id missing and write it; the lock dies with its process."""
    path = workspace.root / "import.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise SourceError(
            f"Nothing imported: another import is writing to {workspace.root}. "
            "Wait for it and run the command again."
        ) from error
    try:
        yield
    finally:
        os.close(handle)
