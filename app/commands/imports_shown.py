"""How an import, a check and the quarantine look in a terminal. Names and reasons are foreign text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.terminal import foreign

if TYPE_CHECKING:
    from rich.console import Console

    from ingest.importers.coverage import Coverage
    from ingest.importers.intake import FileReport, IntakeReport
    from ingest.importers.quarantine import Kept
    from ingest.importers.replay import ReplayReport

RARE_COLUMNS = ("completed", "quarantined")
SHOWN = 5  # enough to see the pattern; `fleetbook quarantine list` has all of them
WARNINGS = {
    "same_start_in_all_runs": "all runs begin at the same moment: a placeholder, not a time",
    "same_duration_in_all_runs": "all runs take equally long: a placeholder, not a duration",
    "zero_cost_with_tokens": "runs cost 0 with tokens used: no price, not free; their cost is unknown",
}


def show_import(console: Console, report: IntakeReport) -> None:
    """The summary of an import, and what to do next."""
    _show_counts(console, report.files)
    for (source_agent, agent_id), runs in sorted(report.agents.items()):
        _line(console, f"{runs:,} runs of {source_agent} belong to agent {agent_id}")
    _show_notes(console, report.files)
    if any(file.new or file.completed for file in report.files):
        console.print("Next: [bold]fleetbook build[/bold] makes them visible.")
    elif any(file.known for file in report.files):
        console.print("Nothing new: these runs are in the log already.")
    else:
        console.print("Nothing imported: no file holds a run that can be taken in.")


def show_check(console: Console, report: IntakeReport) -> None:
    """The summary of a check: what could be taken in, and every refusal."""
    for file in report.files:
        fine = file.seen - file.quarantined
        _line(console, f"{file.source_name}: {fine:,} runs can be taken in, {file.quarantined:,} cannot")
        for reject in file.rejects:
            _line(console, f"{reject.document} run {reject.position} {reject.source_run_id}: {reject.reason}")
    _show_notes(console, report.files, has_rejects=False)
    console.print("Nothing was written.")


def show_quarantine(console: Console, files: Sequence[tuple[Path, Sequence[Kept]]]) -> None:
    """What is in quarantine, by file."""
    for path, kept in files:
        _line(console, f"{path.name}: {len(kept):,} runs")
        for one in kept:
            _line(console, f"  {one.source_file} run {one.position} {one.source_run_id}: {one.reason}")
    if files:
        console.print("Next: correct the cause, then [bold]fleetbook quarantine replay[/bold].")
    else:
        console.print("The quarantine is empty.")


def show_replay(console: Console, report: ReplayReport) -> None:
    """What a replay brought in, and what it did not."""
    console.print(
        f"{report.tried:,} read again, {report.taken:,} taken in, {len(report.left):,} still refused."
    )
    for one in report.left[:SHOWN]:
        _line(console, f"{one.source_file} run {one.position} {one.source_run_id}: {one.reason}")
    if report.taken:
        console.print("Next: [bold]fleetbook build[/bold] makes them visible.")


def _line(console: Console, text: str) -> None:
    console.print(foreign(text), soft_wrap=True)


def _show_counts(console: Console, files: Sequence[FileReport]) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    columns = {
        "seen": [file.seen for file in files],
        "new": [file.new for file in files],
        "completed": [file.completed for file in files],
        "already known": [file.known for file in files],
        "quarantined": [file.quarantined for file in files],
        "events": [file.events_written for file in files],
    }
    # The two rare columns take room from the file names only when they say something.
    shown = {name: counts for name, counts in columns.items() if name not in RARE_COLUMNS or any(counts)}
    table = Table(box=SIMPLE, show_footer=len(files) > 1)
    table.add_column("file", footer="together", overflow="fold")
    for name, counts in shown.items():
        table.add_column(name, footer=f"{sum(counts):,}", justify="right")
    for file, row in zip(files, zip(*shown.values(), strict=True), strict=True):
        table.add_row(foreign(file.source_name), *(f"{count:,}" for count in row))
    console.print(table)


def _show_notes(console: Console, files: Sequence[FileReport], *, has_rejects: bool = True) -> None:
    for file in files:
        for scan in file.scans.values():
            for note in _notes(scan):
                _line(console, f"{scan.path.name}: {note}")
        if file.skipped:
            names = ", ".join(file.skipped[:SHOWN]) + (", …" if len(file.skipped) > SHOWN else "")
            _line(console, f"{file.source_name}: {len(file.skipped):,} documents hold no runs: {names}")
        if has_rejects:
            _show_rejects(console, file)


def _notes(scan: Coverage) -> list[str]:
    notes = [WARNINGS[code] for code in scan.warnings() if code in WARNINGS]
    if scan.expected is not None and scan.found + scan.rejected != scan.expected:
        notes.insert(0, f"holds {scan.found + scan.rejected:,} of the {scan.expected:,} runs it speaks of")
    return notes


def _show_rejects(console: Console, file: FileReport) -> None:
    for reject in file.rejects[:SHOWN]:
        named = f"{reject.document} run {reject.position} {reject.source_run_id}"
        _line(console, f"quarantined: {named}: {reject.reason}")
    if file.quarantine_file:
        _line(console, f"{file.quarantined:,} quarantined in {file.quarantine_file}")
