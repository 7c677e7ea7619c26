"""``fleetbook log compact``: the log kept in order."""

from __future__ import annotations

import typer


def register(log: typer.Typer) -> None:
    """Add the commands to ``fleetbook log``."""
    log.command("compact")(compact_log)


def compact_log() -> None:
    """Put the small files of each day together, sorted by agent and run. Events and proofs stay."""
    from ingest.log.compact import compact
    from ingest.workspace import Workspace, home

    report = compact(Workspace.open(home()))
    for record in report.records:
        size = record.file_bytes / 1e6
        typer.echo(f"{record.file}: {record.count:,} events of {len(record.inputs):,} files, {size:,.1f} MB.")
    if report.is_removal_postponed:
        typer.echo("The replaced files are being read; the next compaction or recovery removes them.")
    if not report.records:
        typer.echo("Nothing to compact: no day has two small files, or the day is not over.")
