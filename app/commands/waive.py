"""``fleetbook waive``, ``unwaive`` and ``waivers``: what a person accepts that a check finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who answers for it.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in one sentence; the log and the report keep it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("waive")(waive)
    app.command("unwaive")(unwaive)
    app.command("waivers")(list_waivers)


def waive(
    about: Annotated[
        str, typer.Argument(metavar="CHECK_OR_FINDING", help="HITL-12, or a finding: 'HITL-12 <object>'.")
    ],
    person: PersonOption,
    reason: ReasonOption,
    until: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Last day it counts; at most a year on.")],
    month: Annotated[
        str | None,
        typer.Option("--month", metavar="YYYY-MM", help="First month it counts for; else the last complete."),
    ] = None,
) -> None:
    """Accept what a check finds, or one finding of it, until a day. The check is then WAIVED, not passed."""
    from ingest.workspace import Workspace, home
    from runner.control import waivers
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook waive", recorded_via="app") as control:
        done = waivers.grant(control, about, person, reason, _day(until), first_month=month)
    told = f"from {done.first_month} until {until}"
    typer.echo(f"Waived: {done.finding_id or done.check_id} {told}, waiver {done.waiver_id[-12:]}.")


def unwaive(
    waiver: Annotated[str, typer.Argument(help="Waiver, or the end of its id; see `fleetbook waivers`.")],
    person: PersonOption,
    reason: ReasonOption,
) -> None:
    """Take a waiver back; it counts for no month any more."""
    from ingest.workspace import Workspace, home
    from runner.control import waivers
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook unwaive", recorded_via="app") as control:
        done = waivers.withdraw(control, waiver, person, reason)
    typer.echo(f"Withdrawn: the waiver of {done.finding_id or done.check_id}. The check counts again.")


def list_waivers() -> None:
    """List every waiver with its reason, who answers for it, and until when it counts."""
    from rich.console import Console
    from rich.text import Text

    from ingest.workspace import Workspace, home
    from runner.control import waivers
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home())) as control:
        with control.store.read() as connection:
            found = waivers.all_waivers(connection)
        now = control.store.clock()
    if not found:
        console.print("Nothing is waived.", markup=False)
    for one in found:
        withdrawn = f"withdrawn by {one.withdrawn_by}" if one.withdrawn_at else ""
        state = withdrawn or ("expired" if one.expires_at <= now else "in force")
        term = f"from {one.first_month} to {one.last_date}"
        head = f"{one.finding_id or one.check_id} · {term} · {state}"
        console.print(Text(head, "bold" if state == "in force" else "dim"), soft_wrap=True)
        told = f"  {one.granted_by}: {one.reason} (waiver {one.waiver_id[-12:]})"
        console.print(Text(told, "dim"), soft_wrap=True)


def _day(text: str) -> dt.date:
    import datetime as dt

    from app.errors import CheckError

    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise CheckError(f"Nothing waived: {text!r} is no day. Write it as 2026-12-31.") from error
