"""``fleetbook verify``, ``notarise``, ``recover`` and ``log status``: the log, checked and in order."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import evidence, log_keep

if TYPE_CHECKING:
    from rich.console import Console

    from ingest.log.findings import VerifyReport
    from ingest.workspace import Workspace

LEVEL_HELP = (
    "1: chains and columns · 2: every file, manifest line and payload hashed again · "
    "3: against checkpoints kept outside."
)


def register(app: typer.Typer) -> None:
    """Add the log's commands to the command line."""
    app.command("verify")(verify_log)
    app.command("notarise")(notarise_log)
    app.command("recover")(recover_log)
    log = typer.Typer(no_args_is_help=True, help="The event log.")
    log.command("status")(log_status)
    log_keep.register(log)
    evidence.register(app)
    app.add_typer(log, name="log")


def verify_log(
    level: Annotated[
        int | None, typer.Option(min=1, max=3, help=LEVEL_HELP + " Default: 2, with --against 3.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A checkpoint kept outside; may be given several times."),
    ] = None,
    vkey: Annotated[
        str | None, typer.Option(metavar="KEY", help="The notary's public key as you know it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check that nothing in the log was changed, removed, added or reordered, and name what was.

    Ends with 0 when nothing was found, 1 with findings, 2 when it could not be checked.
    """
    from rich.console import Console

    from app.commands.machines import whole_log
    from ingest.log.verify import verify
    from ingest.workspace import Workspace, home

    console = Console()
    workspace = whole_log(Workspace.open(home()))
    chosen = level if level is not None else 3 if against else 2
    try:
        with console.status(f"Verifying {workspace.root} at level {chosen} …"):
            report = verify(workspace, chosen, against=tuple(against or ()), vkey=vkey)
    except OSError as error:
        _stop_unreadable("Not verified", error)
    if as_json:
        _print_json(report)
    else:
        _print_report(console, report)
    raise typer.Exit(1 if not report.ok else 2 if report.unchecked else 0)


def _stop_unreadable(what: str, error: OSError) -> None:
    print(
        f"{what}: {error.filename or 'a file of the log'} cannot be used ({error.strerror or error}). "
        "Run the command as a user who may, with free space on the disk.",
        file=sys.stderr,
    )
    raise typer.Exit(2) from error


def _print_json(report: VerifyReport) -> None:
    import json
    from dataclasses import asdict

    from ingest.log.findings import LEVELS

    typer.echo(json.dumps({**asdict(report), "level_meaning": LEVELS[report.level]}, indent=2))


def _print_report(console: Console, report: VerifyReport) -> None:
    from rich.table import Table

    from ingest.log.findings import LEVELS

    console.print(f"Level {report.level}: {LEVELS[report.level]}.", highlight=False, soft_wrap=True)
    console.print(
        f"{report.events:,} events · {report.writers:,} writers · {report.segments:,} segments · "
        f"{report.payloads:,} payloads · {report.checkpoints:,} checkpoints",
        highlight=False,
        soft_wrap=True,
    )
    if report.findings:
        table = Table("Finding", "Where", "What was seen", show_lines=False)
        for finding in report.findings:
            table.add_row(finding.code, finding.object, finding.detail)
        console.print(table)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, soft_wrap=True)
    if report.ok and report.unchecked:
        console.print(
            f"Nothing was found, but {report.unchecked:,} texts could not be checked.",
            style="yellow",
            highlight=False,
        )
    elif report.ok:
        console.print(f"Nothing was found at level {report.level}.", style="green", highlight=False)
    else:
        number = len(report.findings)
        console.print(
            f"{number} finding{'s' if number != 1 else ''}. Keep everything as it is; "
            "docs/log.md says what each word means.",
            style="red",
            highlight=False,
            soft_wrap=True,
        )


def notarise_log(
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The notary's key file. Default: FLEETBOOK_NOTARY_KEY."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="Also keep the checkpoint there, may be given several times: a folder, git:URL#BRANCH, "
            "s3://BUCKET/PREFIX, mailto:ADDRESS, tsa:URL (timestamp authority).",
        ),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="Go on until stopped: every few seconds sign how far each open writer has come, and the log "
            "again when something was sealed.",
        ),
    ] = None,
) -> None:
    """Sign the state of the log. Keep a copy of what this prints where nobody who runs agents can change it.

    Refuses, with exit code 1, a log that does not continue the one signed before, and a place that holds
    a checkpoint which the log does not continue; with --every also a writer whose signed events are gone.
    """
    from app.commands.machines import whole_log
    from ingest.log.checkpoint import VKEY_FILE
    from ingest.workspace import Workspace, home

    workspace = whole_log(Workspace.open(home()))
    _sign(workspace, key, to or [], is_noting_heads=not workspace.origin_file.exists())
    typer.echo(f"Auditors need the public key once: {workspace.checkpoint_dir / VKEY_FILE}.", err=True)
    if every is not None:
        _sign_for_ever(workspace, key, to or [], every)


def _sign_for_ever(workspace: Workspace, key: Path | None, places: list[str], every: float) -> None:
    """Sign the heads of open writers again and again; a new checkpoint when the manifest has grown."""
    from ingest.log.heads import HeadNotary, keep_heads

    notary = HeadNotary(workspace, key)
    size = -1
    while True:
        try:
            _fetch(workspace)
            signed = notary.sign()
            for place in places:
                keep_heads(signed.note, place)
        except OSError as error:
            _stop_unreadable("Not signed", error)
        if size < 0:
            typer.echo(
                f"Signing the heads of open writers, now {len(signed.heads)}, every {every:g} s.",
                err=True,
            )
        elif size != signed.checkpoint.size:
            _sign(workspace, key, places, is_noting_heads=False)
        size = signed.checkpoint.size
        time.sleep(every)


def _fetch(workspace: Workspace) -> None:
    """What came to a shared record since; a place that is not reached is asked again the next time."""
    from ingest.errors import PlaceError, PlaceRefusal
    from ingest.shared.copying import fetch

    if not workspace.origin_file.exists():
        return
    try:
        fetch(workspace)
    except PlaceRefusal:
        raise
    except PlaceError as error:
        typer.echo(str(error), err=True)


def _sign(workspace: Workspace, key: Path | None, places: list[str], *, is_noting_heads: bool) -> None:
    from ingest.log.checkpoint import key_path, notarise
    from ingest.log.sinks import keep_checkpoint
    from ingest.shared.signing import insist_on_one_notary, publish_checkpoint

    is_shared = workspace.origin_file.exists()
    try:
        if is_shared:
            insist_on_one_notary(workspace, key or key_path(workspace))
        done = notarise(workspace, key, is_noting_heads=is_noting_heads)
    except OSError as error:
        _stop_unreadable("Not signed", error)
    if is_shared:
        publish_checkpoint(workspace, done)
    typer.echo(done.note, nl=False)
    state = "Signed" if done.is_new else "Nothing new since"
    typer.echo(f"{state}: {done.path} ({done.checkpoint.size} manifest lines).", err=True)
    for place in places:
        try:
            typer.echo(f"Kept: {keep_checkpoint(workspace, done.note, done.path.name, place)}.", err=True)
        except OSError as error:
            _stop_unreadable(f"Signed, but not kept in {place}", error)


def recover_log() -> None:
    """Seal what dead processes left unsealed, and record it. Safe at any time; the builder does it too."""
    from ingest.log.recover import recover
    from ingest.workspace import Workspace, home

    try:
        report = recover(Workspace.open(home()))
    except OSError as error:
        _stop_unreadable("Not recovered", error)
    for writer in report.writers:
        torn = f", {writer.torn_bytes} torn bytes set aside in quarantine/" if writer.torn_bytes else ""
        typer.echo(f"Sealed writer {writer.writer_id}: {writer.event_count} events{torn}.")
    if report.payload_count:
        typer.echo(f"Sealed {report.payload_count} payloads.")
    for name in report.swept_files:
        typer.echo(f"Removed the half-made file {name}.")
    for problem in report.problems:
        typer.echo(problem, err=True)
    if not (report.writers or report.payload_count or report.swept_files or report.problems):
        typer.echo("Nothing to recover.")
    raise typer.Exit(1 if report.problems else 0)


def log_status() -> None:
    """Show what is sealed, who is writing, and how far the log is signed."""
    from rich.console import Console
    from rich.table import Table

    from ingest.log.status import status
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    state = status(workspace)
    console = Console()
    table = Table(show_header=False)
    table.add_row("workspace", str(workspace.root))
    table.add_row("sealed events", f"{state.sealed_events:,} of {state.writer_count:,} writers")
    table.add_row(
        "segments",
        f"{state.segment_count:,} ({_megabytes(state.segment_bytes)}), "
        f"{state.recovered_segments:,} recovered",
    )
    table.add_row("payload files", f"{state.payload_files:,} ({_megabytes(state.payload_bytes)})")
    table.add_row(
        "newest sealed event",
        f"{state.last_recorded_at:%Y-%m-%d %H:%M:%S} UTC" if state.last_recorded_at else "–",
    )
    signed = (
        "never: run `fleetbook notarise`"
        if state.signed_lines is None
        else f"{state.signed_lines:,} of {state.manifest_lines:,} manifest lines"
    )
    table.add_row("signed", signed)
    console.print(table)
    if not state.open_writers:
        console.print("No open writers.")
        return
    writers = Table("Open writer", "Process", "Unsealed events", "Bytes")
    for writer in state.open_writers:
        process = "alive" if writer.is_alive else "dead: run `fleetbook recover`"
        writers.add_row(writer.writer_id, process, f"{writer.event_count:,}", f"{writer.file_bytes:,}")
    console.print(writers)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
