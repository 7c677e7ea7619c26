"""``fleetbook machines``: several machines, one record; what each one ships, and what is on its way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest.shared.shipping import Shipped, Shipper
    from ingest.workspace import Workspace

_TIDY_SECONDS = 3600.0


def register(app: typer.Typer) -> None:
    """Add the group ``machines`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Several machines that share one record.")
    group.command("join")(join_record)
    group.command("ship")(ship)
    group.command("fetch")(fetch_record)
    group.command("list")(list_machines)
    group.command("lost")(declare_lost)
    app.add_typer(group, name="machines")


def whole_log(workspace: Workspace, *, may_be_older: bool = False) -> Workspace:
    """Where the whole log lies, brought up to date: the workspace itself, or its copy of the shared record.

    With ``may_be_older`` a place that is not reached is told, and the copy is taken as it is. Raises
    PlaceError, PlaceRefusal, SegmentError, OSError.
    """
    from ingest.errors import PlaceError, PlaceRefusal
    from ingest.shared.refreshing import refresh

    try:
        refresh(workspace)
    except PlaceRefusal:
        raise
    except PlaceError as error:
        if not may_be_older:
            raise
        typer.echo(f"{error} What is here so far is used.", err=True)
    return workspace.record


def join_record(
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="s3://BUCKET/PREFIX, or a folder that all machines mount.")
    ],
) -> None:
    """Make this workspace one of several machines that share the record at PLACE; the first one begins it.

    What is recorded stays on this machine's disk and is shipped from there: `fleetbook machines ship`.
    """
    from ingest.shared.joining import join
    from ingest.shared.machines import machine_id
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    done = join(workspace, place)
    typer.echo(f"Joined: {done.address} (record {done.record_id}) as machine {machine_id(workspace)}.")
    typer.echo(
        "`fleetbook machines ship --every 10` brings what is recorded there; `fleetbook up` does it too."
    )
    if workspace.control_url.startswith("sqlite"):
        typer.echo(
            "The control store is this workspace's own: set FLEETBOOK_CONTROL_URL to one PostgreSQL database "
            "on every machine that runs agents or shows pages.",
            err=True,
        )


def ship(
    every: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="Go on until stopped; goes on when the place is away."),
    ] = None,
) -> None:
    """Bring what this machine has recorded, and not shipped yet, to the shared record. Safe at any time."""
    from ingest.errors import PlaceError, PlaceRefusal
    from ingest.shared.shipping import Shipper
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    shipper = Shipper(workspace)
    told, tidied_at = "", time.monotonic()
    while True:
        try:
            _tell(_round(workspace, shipper), is_always=every is None)
            told = ""
        except PlaceRefusal:
            raise
        except PlaceError as error:
            if every is None:
                raise
            if str(error) != told:
                typer.echo(str(error), err=True)
            told = str(error)
        if every is None:
            return
        if time.monotonic() - tidied_at > _TIDY_SECONDS:
            from ingest.log.upkeep import keep_in_order

            keep_in_order(workspace)
            tidied_at = time.monotonic()
        time.sleep(every)


def _round(workspace: Workspace, shipper: Shipper) -> Shipped:
    from ingest.log.recover import recover

    recover(workspace)  # a writer that was killed ends on record
    return shipper.ship()


def _tell(shipped: Shipped, *, is_always: bool) -> None:
    if shipped.events:
        typer.echo(f"Shipped {shipped.events:,} events in {shipped.files:,} files, {shipped.texts:,} texts.")
    elif is_always:
        typer.echo("Everything was shipped already.")


def fetch_record() -> None:
    """Bring this machine's copy of the shared record up to date; builds and verifications do it, too."""
    from ingest.shared.copying import fetch
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    done = fetch(workspace)
    typer.echo(
        f"Fetched {done.lines:,} manifest lines, {done.files:,} files of events, {done.texts:,} of texts: "
        f"{workspace.record.root}."
    )


def list_machines() -> None:
    """Show each machine: when it last spoke, what it has acknowledged and not shipped.

    Ends with 1 when a machine is silent and may hold events that nobody is bringing.
    """
    from rich.console import Console
    from rich.table import Table

    from ingest.log.writer import utc_now
    from ingest.shared.arrivals import standing
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    record = whole_log(workspace)
    found = standing(record, utc_now())
    table = Table("Machine", "Spoke last (UTC)", "Open writers", "Not arrived", "")
    for one in found:
        table.add_row(
            one.machine_id,
            f"{one.stated_at:%Y-%m-%d %H:%M:%S}",
            f"{one.open_writers:,}",
            f"{one.missing:,}",
            one.words if one.is_silent else "",
        )
    Console().print(table)
    raise typer.Exit(1 if any(one.is_incomplete for one in found) else 0)


def declare_lost(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="As `fleetbook machines list` names it.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person who does it.")],
) -> None:
    """Put on record that a machine will not come back: each of its open writers ends where the record ends.

    What it had acknowledged and not shipped is named and counts as lost. If it does come back and ships more,
    `fleetbook verify` says so.
    """
    from app.commands.log_keep import require_keeper
    from ingest.shared.losing import declare
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    require_keeper(workspace, person, "Not declared lost")
    whole_log(workspace)
    lost = declare(workspace, machine, reason=reason, person_id=person)
    whole_log(workspace)
    typer.echo(
        f"Machine {machine} is declared lost: {lost.writers:,} writers end where the record ends, "
        f"{lost.events:,} events that it acknowledged never arrived."
    )
