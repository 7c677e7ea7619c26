"""``fleetbook import``: runs of agents built elsewhere, from their result files into the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ingest.importers.intake import IntakeReport, Intent
    from ingest.workspace import Workspace

FORMAT_HELP = "The format of the files. Now: tau2 (tau2-bench simulation results)."
RARE_COLUMNS = ("completed", "quarantined")
SHOWN_REJECTS = 5  # enough to see the pattern; the quarantine file has all of them


def register(app: typer.Typer) -> None:
    """Add ``import`` to the command line."""
    app.command("import")(import_files)


def import_files(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=FORMAT_HELP)],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Result files, .json or .json.gz.")],
    team: Annotated[str | None, typer.Option(help="Team that the runs belong to.")] = None,
    agent: Annotated[str | None, typer.Option(help="Registered agent that the runs belong to.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="YAML file: which source agent, domain, model or file is which agent.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="IANA zone of times that come without one.")] = "UTC",
) -> None:
    """Take in runs of agents built elsewhere. Repeating an import adds only what is missing.

    Every file is checked to its end before anything is written. A malformed run inside a good file goes to
    quarantine with its reason. Agents that no mapping names keep their own names.
    """
    from rich.console import Console

    from ingest.importers.intake import Intent
    from ingest.workspace import Workspace, home

    intent = Intent(
        format_name=format_name,
        files=tuple(files),
        team=team,
        agent=agent,
        mapping_file=mapping,
        time_zone=time_zone,
    )
    console = Console()
    _show(console, _take_in(console, Workspace.open(home()), intent))


def _take_in(console: Console, workspace: Workspace, intent: Intent) -> IntakeReport:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from ingest.importers.intake import take_in

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def tell(step: str, source_name: str, runs: int) -> None:
            progress.update(task, description=f"{step} {source_name}: {runs:,} runs")

        report: Callable[[str, str, int], None] = tell
        return take_in(workspace, intent, report)


def _show(console: Console, report: IntakeReport) -> None:
    _show_counts(console, report)
    for (source_agent, agent_id), runs in sorted(report.agents.items()):
        console.print(
            f"{runs:,} runs of {source_agent} belong to agent {agent_id}", highlight=False, soft_wrap=True
        )
    _show_rejects(console, report)
    if any(file.new or file.completed for file in report.files):
        console.print("Next: [bold]fleetbook build[/bold] makes them visible.")
    elif any(file.known for file in report.files):
        console.print("Nothing new: these runs are in the log already.")
    else:
        console.print("Nothing imported: no file holds a run that can be taken in.")


def _show_counts(console: Console, report: IntakeReport) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    columns = {
        "seen": [file.seen for file in report.files],
        "new": [file.new for file in report.files],
        "completed": [file.completed for file in report.files],
        "already known": [file.known for file in report.files],
        "quarantined": [file.quarantined for file in report.files],
        "events": [file.events_written for file in report.files],
    }
    # The two rare columns take room from the file names only when they say something.
    shown = {name: counts for name, counts in columns.items() if name not in RARE_COLUMNS or any(counts)}
    table = Table(box=SIMPLE, show_footer=len(report.files) > 1)
    table.add_column("file", footer="together", overflow="fold")
    for name, counts in shown.items():
        table.add_column(name, footer=f"{sum(counts):,}", justify="right")
    for file, row in zip(report.files, zip(*shown.values(), strict=True), strict=True):
        table.add_row(file.source_name, *(f"{count:,}" for count in row))
    console.print(table)


def _show_rejects(console: Console, report: IntakeReport) -> None:
    for file in report.files:
        for reject in file.rejects[:SHOWN_REJECTS]:
            named = f"{file.source_name} run {reject.position} {reject.source_run_id}"
            console.print(
                f"quarantined: {named}: {reject.reason}", highlight=False, markup=False, soft_wrap=True
            )
        if file.quarantine_file:
            console.print(
                f"{file.quarantined:,} quarantined in {file.quarantine_file}", markup=False, soft_wrap=True
            )
