"""``fleetbook backup`` and ``fleetbook restore``: the whole workspace, at one moment, elsewhere and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add ``backup`` and ``restore`` to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    place: Annotated[Path, typer.Argument(help="Folder for backups, on another disk.")],
    keep: Annotated[
        int | None, typer.Option(min=1, help="Remove all but this many of the newest backups.")
    ] = None,
) -> None:
    """Copy the workspace as it is at one moment, while everybody works on. Unchanged files are hard links.

    Ends with 1 when a file of the log is not what its manifest says: the copy then holds it as it is.
    """
    from app.upkeep.backup import back_up
    from ingest.log.writer import utc_now
    from ingest.workspace import Workspace, home

    made = back_up(Workspace.open(home()), place, utc_now(), keep=keep)
    total = sum(file.size for file in made.backup.files.values())
    typer.echo(
        f"{made.folder}: {len(made.backup.files):,} files, {total / 1e6:,.1f} MB, "
        f"{made.copied_bytes / 1e6:,.1f} MB of it copied now. "
        f"Log: {made.backup.manifest_lines:,} manifest lines, root {made.backup.root}."
    )
    for words in made.backup.left_out:
        typer.echo(f"Left out: {words}.")
    for name in made.backup.damaged:
        typer.echo(f"Damaged in the workspace: {name}. `fleetbook verify` says more.", err=True)
    if made.backup.damaged:
        raise typer.Exit(1)


def restore(
    folder: Annotated[Path, typer.Argument(help="One backup: a folder that `fleetbook backup` made.")],
    target: Annotated[Path, typer.Argument(help="New folder for the restored workspace.")],
) -> None:
    """Restore a backup into a new folder, comparing every file, and verify its log."""
    from app.upkeep.restore import restore as bring_back

    found = bring_back(folder, target)
    typer.echo(
        f"Restored to {found.workspace.root}: {len(found.backup.files):,} files as of "
        f"{found.backup.made_at:%Y-%m-%d %H:%M:%S} UTC, {found.report.events:,} events."
    )
    for words in found.backup.left_out:
        typer.echo(f"Still needed: {words}.")
    for finding in found.report.findings:
        typer.echo(f"{finding.code} {finding.object}: {finding.detail}", err=True)
    typer.echo("The log is whole." if found.is_whole else "The log is not whole: see above.")
    if not found.is_whole:
        raise typer.Exit(1)
    typer.echo(f"Next: `fleetbook build --workspace {found.workspace.root}`.")
