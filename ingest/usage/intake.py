"""The intake of usage exports: every file is read to its end, then each statement is written once.

One command makes one report per provider and kind, however many pages it came in. What a report says of a day
takes the place of what earlier reports of the same account said of it. Lines that cannot be read go to the
quarantine; the report then proves nothing about its days, and the corrected export takes its place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.contract import validate
from ingest.errors import SourceError
from ingest.importers import quarantine
from ingest.importers.formats import Rejected
from ingest.importers.intake import one_at_a_time
from ingest.importers.recording import Recording
from ingest.importers.replay import USAGE
from ingest.importers.source import SourceFile
from ingest.usage.pages import read_pages
from ingest.usage.sheets import read_sheet
from ingest.usage.statement import Line, Report, Unread, add_up, check_buckets
from ingest.workspace import Workspace

DEFAULT_ACCOUNT = "default"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One file: its lines, what of it was refused, and whether it says that more pages follow."""

    name: str
    lines: tuple[Line, ...]
    unread: tuple[Unread, ...]
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One report and how many of its events were new: none when it was in the log already."""

    report: Report
    events_written: int


@dataclass(frozen=True, kw_only=True)
class Intake:
    """The outcome: the files as read, and the reports they became."""

    statements: tuple[Statement, ...]
    taken: tuple[Taken, ...]


def read_statement(path: Path) -> Statement:
    """One export, JSON or CSV by its first character, gzip unpacked. Raises SourceError."""
    source = SourceFile(path)
    with source.open() as stream:
        try:
            start = stream.read(1)
            while start.isspace():
                start = stream.read(1)
            if start in ("{", "["):
                lines, unread, has_more = read_pages(start + stream.read(), source.name)
                return Statement(name=path.name, lines=tuple(lines), unread=tuple(unread), has_more=has_more)
        except UnicodeDecodeError as error:
            raise _no_text(path, error) from error
    with source.open() as stream:
        try:
            lines, unread = read_sheet(stream, source.name)
        except UnicodeDecodeError as error:
            raise _no_text(path, error) from error
    return Statement(name=path.name, lines=tuple(lines), unread=tuple(unread), has_more=False)


def _no_text(path: Path, error: UnicodeDecodeError) -> SourceError:
    return SourceError(
        f"Nothing imported: {path.name} is not UTF-8 text ({error.reason}). Convert it to UTF-8."
    )


def reports(statements: Sequence[Statement], account: str = DEFAULT_ACCOUNT) -> tuple[Report, ...]:
    """One report per provider and kind of all files together.

    Raises SourceError when two files state the same bucket, or buckets overlap: sums would count twice.
    """
    _refuse_repeated(statements)
    found = []
    for provider, kind in sorted({(line.provider, line.kind) for one in statements for line in one.lines}):
        sources = [one for one in statements if any(_is_of(line, provider, kind) for line in one.lines)]
        lines = [line for one in sources for line in one.lines if _is_of(line, provider, kind)]
        names = tuple(one.name for one in sources)
        check_buckets(lines, ", ".join(names))
        found.append(
            Report(
                provider=provider,
                account=account,
                kind=kind,
                lines=add_up(lines),
                rejected=sum(len(one.unread) for one in sources),
                source_files=names,
            )
        )
    return tuple(found)


def take_in_usage(workspace: Workspace, files: Sequence[Path], account: str = DEFAULT_ACCOUNT) -> Intake:
    """Import ``files`` into the log. Raises SourceError before anything is written, WriterError.

    An import that was killed counts for nothing until the same command has carried it on to its end.
    """
    with one_at_a_time(workspace):
        statements = tuple(read_statement(path) for path in files)
        made = reports(statements, account)
        now = dt.datetime.now(dt.UTC)
        for report in made:
            for event in report.events(now):
                validate(event)
        for one in statements:
            _keep_unread(workspace, one)
        taken = []
        with Recording(workspace, process_name="import usage") as recording:
            for report in made:
                written = sum(recording.note(event) for event in report.events(now))
                taken.append(Taken(report=report, events_written=written))
    return Intake(statements=statements, taken=tuple(taken))


def _is_of(line: Line, provider: str, kind: str) -> bool:
    return (line.provider, line.kind) == (provider, kind)


def _refuse_repeated(statements: Sequence[Statement]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for one in statements:
        buckets = {
            (line.provider, line.kind, line.start, line.end, line.invoice_id or "")
            for line in one.lines
            if line.kind != "invoice" or line.invoice_id
        }
        for key in buckets:
            if key in seen:
                raise SourceError(
                    f"Nothing imported: {seen[key]} and {one.name} both state {key[0]} {key[1]} "
                    f"of {key[2]:%Y-%m-%d}. "
                    "Import one export per day, or each account by a command of its own with --account."
                )
        seen |= dict.fromkeys(buckets, one.name)


def _keep_unread(workspace: Workspace, one: Statement) -> None:
    """What of the file was refused takes the place of what an earlier file of that name left."""
    path = quarantine.file_of(workspace, f"usage-{one.name}")
    path.unlink(missing_ok=True)
    if one.unread:
        rejects = [
            Rejected(
                position=line.position,
                source_run_id="",
                reason=line.reason,
                raw=line.raw,
                document=one.name,
                format_name=USAGE,
            )
            for line in one.unread
        ]
        quarantine.put(workspace, f"usage-{one.name}", rejects)
