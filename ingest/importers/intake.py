"""The intake: documents of foreign formats become events of the log, each exactly once.

Every document is read through and checked before the first event is written. Ids are derived from the source,
so an import that was killed, or is repeated, writes what is missing and nothing else.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.contract import validate
from ingest.errors import SourceError
from ingest.importers import quarantine
from ingest.importers.coverage import Coverage
from ingest.importers.formats import Declared, ImportedRun, Reading, Rejected
from ingest.importers.gathering import Document, Part, gather
from ingest.importers.mapping import load_mappings
from ingest.importers.recording import Recording
from ingest.workspace import Workspace

DAMAGED_TEXT_CHARS = 1 << 20  # of a damaged document in a folder or zip, this much is kept in quarantine


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What the caller asked for: format (or ``auto``), files or folders, and where the runs belong."""

    format_name: str
    files: tuple[Path, ...]
    team: str | None = None
    agent: str | None = None
    mapping_file: Path | None = None
    time_zone: str = "UTC"
    is_check_only: bool = False


@dataclass(kw_only=True)
class FileReport:
    """One argument of the import: seen = new + completed + known + quarantined runs, and the events written.

    ``scans`` has one entry per file on disk; ``skipped`` are documents in a folder or zip that hold no runs.
    """

    source_name: str
    seen: int = 0
    new: int = 0
    completed: int = 0
    known: int = 0
    quarantined: int = 0
    events_written: int = 0
    rejects: list[Rejected] = field(default_factory=list)
    quarantine_files: list[Path] = field(default_factory=list)
    scans: dict[tuple[Path, str], Coverage] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class IntakeReport:
    """The outcome of one import: a row per argument, and runs per (source agent, agent id)."""

    files: tuple[FileReport, ...]
    agents: Counter[tuple[str, str]]
    is_check_only: bool = False


Progress = Callable[[str, str, int], None]
"""Called with the step (``checking`` or ``writing``), the argument's name and the runs done in it."""


def take_in(workspace: Workspace, intent: Intent, progress: Progress | None = None) -> IntakeReport:
    """Import ``intent.files`` into the log of ``workspace`` and report what was new.

    Raises SourceError or MappingError before anything is written, and WriterError when the log fails; after a
    failure in the middle the same command carries on. With ``is_check_only`` nothing is written at all.
    """
    tell = progress or _silent
    reading = Reading(
        places=load_mappings(
            workspace, team=intent.team, agent=intent.agent, mapping_file=intent.mapping_file
        ),
        time_zone=_zone(intent.time_zone),
    )
    with _one_at_a_time(workspace):
        parts = gather(intent.files, intent.format_name)
        passes = [_Pass(part, reading, tell) for part in parts]
        for one in passes:
            one.check()
        agents: Counter[tuple[str, str]] = Counter()
        if not intent.is_check_only:
            for one in passes:
                one.keep_rejects(workspace)
            with Recording(workspace, process_name=f"import {intent.format_name}") as recording:
                for one in passes:
                    one.write(recording, agents)
    return IntakeReport(
        files=tuple(one.report for one in passes), agents=agents, is_check_only=intent.is_check_only
    )


def _silent(step: str, source_name: str, runs: int) -> None:
    return None


class _Pass:
    """Both passes over one argument: first everything is checked, then what is missing is written."""

    def __init__(self, part: Part, reading: Reading, tell: Progress) -> None:
        self.report = FileReport(source_name=part.name, skipped=part.skipped)
        self._documents = part.documents
        self._stamps = {path: _stamp(path) for path in {one.source.path for one in part.documents}}
        self._damaged: set[int] = set()
        self._rejects: dict[str, list[Rejected]] = {}
        self._reading = reading
        self._tell = tell

    def check(self) -> None:
        """Read every document to its end and validate every event that it would write."""
        for number, document in enumerate(self._documents):
            try:
                self._check(document)
            except SourceError as error:
                if not document.is_found:
                    raise
                self._damaged.add(number)
                self._reject(document, _damaged(document, error))
            self._close_between(number)
        self.report.seen = self.report.quarantined + sum(one.found for one in self.report.scans.values())

    def _check(self, document: Document) -> None:
        runs: list[ImportedRun] = []
        coverage = self._coverage(document)
        for item in document.format.read(document.source, self._reading):
            if isinstance(item, Declared):
                coverage.declare(item.run_count)
            elif isinstance(item, Rejected):
                self._reject(document, item)
            else:
                for draft in item.drafts:
                    validate(draft.event)
                coverage.see(item)
            self._tell("checking", self.report.source_name, coverage.found + self.report.quarantined)
        del runs

    def _reject(self, document: Document, item: Rejected) -> None:
        self._coverage(document).rejected += 1
        self.report.quarantined += 1
        self.report.rejects.append(item)
        self._rejects.setdefault(document.format.name, []).append(item)

    def _coverage(self, document: Document) -> Coverage:
        path, name = document.source.path, document.format.name
        return self.report.scans.setdefault((path, name), Coverage(path=path, format_name=name))

    def keep_rejects(self, workspace: Workspace) -> None:
        """Put what was refused into quarantine, with its reason."""
        for format_name, rejects in self._rejects.items():
            self.report.quarantine_files.append(
                quarantine.put(workspace, format_name, self.report.source_name, rejects)
            )

    def write(self, recording: Recording, agents: Counter[tuple[str, str]]) -> None:
        """Append the missing events, count them into the report and the runs into ``agents``."""
        for path, stamp in self._stamps.items():
            if _stamp(path) != stamp:
                raise SourceError(
                    f"Import stopped: {path} changed while it was read. Run the command again."
                )
        for number, document in enumerate(self._documents):
            if number not in self._damaged:
                self._write(document, recording, agents)
            self._close_between(number)
        for coverage in self.report.scans.values():
            recording.note(coverage.event(self._reading.imported_at))

    def _write(
        self, document: Document, recording: Recording, agents: Counter[tuple[str, str]]
    ) -> None:
        report = self.report
        for item in document.format.read(document.source, self._reading):
            if not isinstance(item, ImportedRun):
                continue
            written = recording.take(document.format.name, item)
            agents[item.source_agent, item.agent_id] += 1
            report.events_written += written
            if written == len(item.drafts):
                report.new += 1
            elif written:
                report.completed += 1
            else:
                report.known += 1
            self._tell("writing", report.source_name, report.new + report.completed + report.known)

    def _close_between(self, number: int) -> None:
        """Give up an archive after its last document, so that a folder of many does not hold them all open."""
        archive = self._documents[number].source.archive
        following = self._documents[number + 1].source.archive if number + 1 < len(self._documents) else None
        if archive is not None and following is not archive:
            archive.close()


def _damaged(document: Document, error: SourceError) -> Rejected:
    try:
        with document.source.open() as stream:
            stream.reconfigure(errors="backslashreplace")
            text = stream.read(DAMAGED_TEXT_CHARS)
    except (SourceError, OSError, EOFError):
        text = ""  # nothing of it can be read; the reason says so
    return Rejected(position=0, source_run_id=document.source.title, reason=str(error), raw=text)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SourceError(
            f"Nothing imported: unknown time zone {name!r}. Use an IANA name such as Europe/Berlin."
        ) from error


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the file, to notice a change between the two passes; (0, 0) when it is missing."""
    try:
        found = path.stat()
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
