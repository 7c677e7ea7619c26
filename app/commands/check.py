"""``fleetbook check``: the monthly check – verify the log, decide every check, say what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

    from rich.console import Console
    from rich.table import Table

    from app.checks.monthly import Monthly, Part
    from app.checks.results import Result

_STYLES = {
    "PASS": "green",
    "FAIL": "red",
    "NO_DATA": "yellow",
    "ERROR": "red",
    "WAIVED": "cyan",
    "MANUAL": "cyan",
}


def register(app: typer.Typer) -> None:
    """Add the group ``check`` to the command line."""
    group = typer.Typer(help="The monthly check: 43 questions to the log, and what it answers.")
    group.callback(invoke_without_command=True)(check)
    group.command("due")(due)
    app.add_typer(group, name="check")


def check(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Option("--month", help="For example 2026-10; the last finished one by default.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent.")] = None,
    team: Annotated[str | None, typer.Option(help="Only the agents of this team.")] = None,
    risk: Annotated[
        str | None, typer.Option(help="Only agents of this risk class: minimal, limited, high.")
    ] = None,
    demo: Annotated[
        bool | None, typer.Option("--demo/--real", help="Which rows, where the log holds both.")
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option("--pack", metavar="PLACE", help="Where the evidence pack goes: a folder or a .zip."),
    ] = None,
) -> None:
    """Verify the log, decide every check for a month as the log stood when it was over, print the answer.

    Ends with 0 when no critical or high check failed and every critical one had something to look at, with 1
    when something was found, with 2 when it could not be checked. Thresholds are in check_parameters.yaml.
    Of the whole company the answer is kept, failed checks become cases, and the evidence pack is written.
    """
    if context.invoked_subcommand:
        return
    import datetime as dt

    from rich.console import Console

    from app.checks.follow import keep, make_pack
    from app.checks.monthly import Part, check_month
    from app.commands.machines import whole_log
    from ingest.workspace import Workspace, home
    from runner.control.months import company_zone, month_before, parse_month
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    now = dt.datetime.now(dt.UTC)
    with Control(workspace, process_name="fleetbook check") as control:
        asked = parse_month(month) if month else month_before(now, company_zone(control))
    whole_log(workspace)
    part = Part(agent_id=agent, team_id=team, risk=risk)
    console, progress = Console(highlight=False), Console(stderr=True, highlight=False)
    monthly = check_month(
        workspace,
        asked,
        part=part,
        demo=demo,
        say=lambda text: progress.print(f"{text} …", markup=False, style="dim"),
    )
    _print(console, monthly, part, asked)
    if part.is_whole:
        with Control(workspace, process_name="fleetbook check", recorded_via="app") as control:
            opened = keep(control, monthly.answer, monthly.scoped)
            made = make_pack(control, asked, pack)
        console.print(f"{len(opened)} cases are about this month: `fleetbook cases`.", markup=False)
        console.print(f"Evidence pack {made.place}, manifest {made.content_sha256}.", markup=False)
    raise typer.Exit(monthly.answer.exit_code)


def due() -> None:
    """Check the last month when it is due: from the first working day after it, unless it has an answer.

    Saturdays, Sundays and company.holidays of registry.yaml are no working days. People are told once.
    `fleetbook up` asks every hour. Ends with 0 when nothing is due, else as `fleetbook check`.
    """
    import datetime as dt

    from rich.console import Console

    from app.checks.due import check_due, due_month
    from app.checks.monthly import Part
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    console = Console(highlight=False)
    workspace = Workspace.open(home())
    with Control(workspace, process_name="fleetbook check due") as control:
        month = due_month(control, dt.datetime.now(dt.UTC))
    if month is None:
        return
    monthly, made = check_due(workspace, month, say=lambda text: console.print(f"{text} …", markup=False))
    _print(console, monthly, Part(), month)
    console.print(f"Evidence pack {made.place}, manifest {made.content_sha256}.", markup=False)
    raise typer.Exit(monthly.answer.exit_code)


def _print(console: Console, monthly: Monthly, part: Part, month: dt.date) -> None:
    from rich.table import Table

    answer = monthly.answer
    about = ", ".join(one for one in (part.agent_id, part.team_id, part.risk) if one)
    console.print(
        f"Check of {month:%Y-%m}{f' for {about}' if about else ''}{', demo data' if answer.is_demo else ''}",
        markup=False,
        style="bold",
    )
    if not answer.is_verified:
        console.print("The log did not verify: everything below INT is on unverified data.", style="red")
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("Check", "", "Severity"):
        table.add_column(name, no_wrap=True)
    for name in ("Looked at", "Bad"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("What was found", overflow="fold")
    for one in answer.results:
        _add(table, one)
    console.print(table)
    _print_end(console, monthly)


def _add(table: Table, one: Result) -> None:
    from rich.text import Text

    said = one.detail or one.title
    if one.violations and one.first_objects and one.first_objects[0] not in said:
        said = f"{one.first_objects[0]}: {said}"
    table.add_row(
        one.check_id,
        Text(one.status, style=_STYLES[one.status]),
        one.severity,
        f"{one.population:,}",
        f"{one.violations:,}" if one.violations else "",
        Text(said, style="" if one.violations else "dim"),
    )


def _print_end(console: Console, monthly: Monthly) -> None:
    answer = monthly.answer
    tally = {status: sum(one.status == status for one in answer.results) for status in _STYLES}
    said = ", ".join(f"{count} {status}" for status, count in tally.items() if count)
    signed = (
        f"checkpoint {answer.checkpoint_size} {answer.checkpoint_root}"
        if answer.checkpoint_root
        else "no checkpoint was ever signed"
    )
    console.print(f"{said}. Tables {answer.build_id}, {signed}.", markup=False)
    if answer.late_events:
        console.print(
            f"{answer.late_events:,} events about the month were recorded after it and do not count.",
            markup=False,
        )
    for note in monthly.notes:
        console.print(note, markup=False, style="dim")
    for one in answer.findings:
        todo = one.remedy if one.violations else f"not green: {one.detail}"
        console.print(f"{one.check_id} ({one.severity}): {todo}", markup=False)
