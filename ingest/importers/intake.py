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
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.contract import validate
from ingest.errors import SourceError
from ingest.importers import quarantine
from ingest.importers.coverage import Coverage
from ingest.importers.formats import Declared, ImportedRun, Places, Reading, Rejected
from ingest.importers.gathering import Document, Part, gather
from ingest.importers.mapping import Mappings, load_mappings
from ingest.importers.recording import Recording
from ingest.tracing import span
from ingest.workspace import Workspace

KNOWN, COMPLETED, NEW = range(3)
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
    quarantine_file: Path | None = None
    scans: dict[tuple[Path, str], Coverage] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class IntakeReport:
    """The outcome of one import: a row per argument, and runs per (source agent, agent id)."""

    files: tuple[FileReport, ...]
    agents: Counter[tuple[str, str]]


Progress = Callable[[str, str, int], None]
"""Called with the step (``checking`` or ``writing``), the argument's name and the runs done in it."""


@span("import")
def take_in(workspace: Workspace, intent: Intent, progress: Progress | None = None) -> IntakeReport:
    """Import ``intent.files`` into the log of ``workspace`` and report what was new.

    Raises SourceError or MappingError before anything is written, and WriterError when the log fails; after a
    failure in the middle the same command carries on.
    """
    places = load_mappings(workspace, team=intent.team, agent=intent.agent, mapping_file=intent.mapping_file)
    agents: Counter[tuple[str, str]] = Counter()
    with one_at_a_time(workspace):
        passes = _checked(intent, places, progress or _silent)
        for one in passes:
            one.keep_rejects(workspace)
        with Recording(workspace, process_name=f"import {intent.format_name}") as recording:
            for one in passes:
                one.write(recording, agents)
    return IntakeReport(files=tuple(one.report for one in passes), agents=agents)


def examine(intent: Intent, progress: Progress | None = None) -> IntakeReport:
    """Read and check ``intent.files`` and write nothing; needs no workspace. Raises SourceError."""
    passes = _checked(intent, Mappings((), None), progress or _silent)
    return IntakeReport(files=tuple(one.report for one in passes), agents=Counter())


def examined(part: Part, places: Places, time_zone: str, tell: Progress | None = None) -> Pass:
    """One part after its first pass: read to its end and checked, nothing written. Raises SourceError."""
    one = Pass(part, Reading(places=places, time_zone=_zone(time_zone)), tell or _silent)
    one.check()
    return one


def _checked(intent: Intent, places: Places, tell: Progress) -> list[Pass]:
    zone = _zone(intent.time_zone).key
    return [examined(part, places, zone, tell) for part in gather(intent.files, intent.format_name)]


def _silent(step: str, source_name: str, runs: int) -> None:
    return None


class Pass:
    """Both passes over one argument: first everything is checked, then what is missing is written."""

    def __init__(self, part: Part, reading: Reading, tell: Progress) -> None:
        self.report = FileReport(source_name=part.name, skipped=part.skipped)
        self._documents = part.documents
        self._stamps = {path: _stamp(path) for path in {one.source.path for one in part.documents}}
        self._damaged: set[int] = set()
        self._found: dict[tuple[Path, str, str], int] = {}
        self._reading = reading
        self._tell = tell

    def check(self) -> None:
        """Read every document to its end and validate every event that it would write."""
        for number, document in enumerate(self._documents):
            coverage = Coverage(path=document.source.path, format_name=document.format.name)
            try:
                rejects = self._check(document, coverage)
            except SourceError as error:
                if not document.is_found:
                    raise
                self._damaged.add(number)
                coverage = Coverage(path=document.source.path, format_name=document.format.name)
                rejects = [_damaged(document, error)]
            self._count(document, coverage, rejects)
            self._close_between(number)
        self.report.seen = self.report.quarantined + sum(one.found for one in self.report.scans.values())

    def _check(self, document: Document, coverage: Coverage) -> list[Rejected]:
        rejects: list[Rejected] = []
        for item in document.format.read(document.source, self._reading):
            if isinstance(item, Declared):
                coverage.declare(item.run_count)
            elif isinstance(item, Rejected):
                rejects.append(item)
            else:
                for draft in item.drafts:
                    validate(draft.event)
                coverage.see(item)
            self._tell("checking", document.source.title, coverage.found + len(rejects))
        return rejects

    def _count(self, document: Document, coverage: Coverage, rejects: list[Rejected]) -> None:
        coverage.rejected = len(rejects)
        key = (document.source.path, document.format.name)
        known = self.report.scans.get(key)
        if known is None:
            self.report.scans[key] = coverage
        else:
            known.add(coverage)
        self.report.quarantined += len(rejects)
        for reject in rejects:
            self.report.rejects.append(
                replace(reject, document=document.source.title, format_name=document.format.name)
            )

    def keep_rejects(self, workspace: Workspace) -> None:
        """Put what was refused into quarantine, with its reason."""
        if self.report.rejects:
            self.report.quarantine_file = quarantine.put(
                workspace, self.report.source_name, self.report.rejects
            )

    def write(self, recording: Recording, agents: Counter[tuple[str, str]], *, has_scan: bool = True) -> None:
        """Append the missing events, count them into the report and the runs into ``agents``."""
        for path, stamp in self._stamps.items():
            if _stamp(path) != stamp:
                raise SourceError(f"Import stopped: {path} changed while it was read. Run the command again.")
        for number, document in enumerate(self._documents):
            if number not in self._damaged:
                self._write(document, recording, agents)
            self._close_between(number)
        found = Counter(self._found.values())
        self.report.new, self.report.completed, self.report.known = found[NEW], found[COMPLETED], found[KNOWN]
        for coverage in self.report.scans.values() if has_scan else ():
            recording.note(coverage.event(self._reading.imported_at))

    def _write(self, document: Document, recording: Recording, agents: Counter[tuple[str, str]]) -> None:
        for item in document.format.read(document.source, self._reading):
            if not isinstance(item, ImportedRun):
                continue
            written = recording.take(document.format.name, item)
            agents[item.source_agent, item.agent_id] += 1
            self.report.events_written += written
            found = NEW if written == len(item.drafts) else COMPLETED if written else KNOWN
            key = (document.source.path, document.format.name, item.run_id)
            # A file may tell of one run in several places: what is most new about it counts.
            self._found[key] = max(found, self._found.get(key, KNOWN))
            self._tell("writing", document.source.title, len(self._found))

    def _close_between(self, number: int) -> None:
        """Give up an archive after its last document: a folder may hold many."""
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
def one_at_a_time(workspace: Workspace) -> Iterator[None]:
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
