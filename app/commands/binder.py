"""``fleetbook binder``: the EU AI Act binder of a month, statements for it, and its requirements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

    from rich.console import Console

    from app.binder.make import Binder
    from runner.control.plane import Control

_STYLES = {"EVIDENCE": "green", "GAP": "red", "NOT OURS": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the group ``binder`` to the command line."""
    group = typer.Typer(help="The EU AI Act binder: per requirement evidence, gap and owner.")
    group.callback(invoke_without_command=True)(binder)
    group.command("attest")(attest)
    group.command("requirements")(requirements)
    app.add_typer(group, name="binder")


def binder(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Option("--month", help="For example 2026-10; the last finished one by default.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="YYYY-MM-DD", help="The month that was finished last on this day."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Another folder for it.")
    ] = None,
) -> None:
    """Make the binder from the kept answer of the month's check: PDF, XLSX, CSV, JSON and a manifest.

    Ends with 1 when a requirement has a gap: a check that failed, is waived or had no data, an event that is
    missing, a statement nobody made, an owner nobody declared. Ends with 2 when the month was not checked.
    """
    if context.invoked_subcommand:
        return
    from rich.console import Console

    from app.binder.make import make_binder
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook binder", recorded_via="app") as control:
        made = make_binder(control, _month(control, month, at), out)
    _print(Console(highlight=False), made)
    if made.gap_count:
        raise typer.Exit(1)


def attest(
    requirement: Annotated[str, typer.Argument(help="Requirement, for example 26-7.")],
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Month it is about, or the first one.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who states it.")],
    reason: Annotated[str, typer.Option(help="How it is met, and where that is written.")],
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day it counts; at most a year on.")
    ] = None,
) -> None:
    """State how a requirement is met that no check can answer. It stands in the binder in your name."""
    from app.binder.requirements import shipped
    from app.errors import BinderError
    from ingest.workspace import Workspace, home
    from runner.control.assurance import attest_requirement
    from runner.control.months import month_text, parse_month
    from runner.control.plane import Control

    asked = {one.id for one in shipped().requirements if one.attest}
    if requirement not in asked:
        raise BinderError(
            f"Nothing stated: {requirement!r} is no requirement that a person states. "
            f"They are {', '.join(sorted(asked))}."
        )
    last = _day(until, "--until") if until else None
    first = month_text(parse_month(month))
    with Control(Workspace.open(home()), process_name="fleetbook binder attest") as control:
        attest_requirement(control, requirement, first, person, reason, until=last)
    typer.echo(f"Recorded: {person} states {requirement} for {first}{f' until {until}' if until else ''}.")


def requirements() -> None:
    """List what the binder asks, with what answers it, and check the file it stands in."""
    from rich.console import Console
    from rich.text import Text

    from app.binder.requirements import shipped

    console, asked = Console(highlight=False), shipped()
    console.print(f"{asked.regulation}. Requirements version {asked.version}.", markup=False, style="bold")
    for one in asked.requirements:
        by = [*one.checks, *one.events, *(["a person's statement"] if one.attest else [])]
        console.print(
            Text(f"{one.id} · Article {one.article} · {one.who} · {one.title}", "bold"), soft_wrap=True
        )
        console.print(Text(f"  {one.asks}"), soft_wrap=True)
        console.print(Text(f"  answered by {', '.join(by)}. {one.limit}", "dim"), soft_wrap=True)


def _print(console: Console, made: Binder) -> None:
    from rich.table import Table
    from rich.text import Text

    from app.binder.decide import NOBODY
    from app.binder.make import sentence

    title = f"EU AI Act binder {made.month:%Y-%m}{', demo data' if made.is_demo else ''}"
    console.print(title, markup=False, style="bold")
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("Id", "Article", "", "Owner"):
        table.add_column(name, no_wrap=True)
    table.add_column("What is missing, or what answers it", overflow="fold")
    for line in made.lines:
        table.add_row(
            line.requirement.id,
            line.requirement.article,
            Text(line.word, style=_STYLES[line.word]),
            line.owner_id or NOBODY,
            Text("; ".join(line.gaps or line.evidence), style="" if line.gaps else "dim"),
        )
    console.print(table)
    console.print(sentence(made.lines), markup=False)
    for told in made.applies:
        console.print(f"Applies from: {told}", markup=False, style="dim")
    console.print(f"{made.place}, manifest {made.content_sha256}", markup=False)


def _month(control: Control, month: str | None, at: str | None) -> dt.date:
    import datetime as dt

    from app.errors import BinderError
    from runner.control.months import company_zone, month_before, parse_month

    if month and at:
        raise BinderError("No binder made: --month and --at both say when. Name one of them.")
    if month:
        return parse_month(month)
    zone = company_zone(control)
    if at is None:
        return month_before(control.store.clock(), zone)
    return month_before(dt.datetime.combine(_day(at, "--at"), dt.time(), zone), zone)


def _day(text: str, option: str) -> dt.date:
    import datetime as dt

    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-12-31", param_hint=option) from None
