"""``fleetbook risk``: the checks between months – look, list what was found, say what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from rich.console import Console

    from app.risk.scan import Scanned
    from runner.control.risk_findings import RiskFinding

_STYLES = {"critical": "red", "high": "yellow", "medium": "cyan"}
_SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the group ``risk`` to the command line."""
    group = typer.Typer(help="Risk checks between months: secrets, injected orders, loops, anomalies, drift.")
    group.callback(invoke_without_command=True)(risk)
    group.command("findings")(findings)
    group.command("settle")(settle)
    app.add_typer(group, name="risk")


def risk(
    context: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="First day to look at; else two days before the last scan."),
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent.")] = None,
    demo: Annotated[
        bool | None, typer.Option("--demo/--real", help="Which rows, where the log holds both.")
    ] = None,
    once_a_day: Annotated[
        bool,
        typer.Option("--once-a-day", help="Do nothing when it has looked today; `fleetbook up` asks so."),
    ] = False,
) -> None:
    """Look at the runs since the last scan and tell what was not found before, in the log and here.

    It looks at the tables of the last build and at the texts; texts stay where they are. Ends with 1 when
    something is new, with 2 when it could not look, or texts are encrypted with a key that is not at hand.
    Parameters are in risk_rules.yaml of the workspace.
    """
    if context.invoked_subcommand:
        return
    from rich.console import Console

    from app.risk.scan import is_due, scan
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    console = Console(highlight=False)
    first = _day(since) if since else None
    with Control(Workspace.open(home()), process_name="fleetbook risk", recorded_via="app") as control:
        if once_a_day and not is_due(control):
            console.print("It has looked today.", markup=False)
            return
        done = scan(control, since=first, agent_id=agent, demo=demo)
    _print(console, done)
    if done.new:
        raise typer.Exit(1)
    if done.is_locked:
        raise typer.Exit(2)


def findings(
    everything: Annotated[bool, typer.Option("--all", help="Settled ones, too.")] = False,
) -> None:
    """List findings that nobody has settled, the newest first. Ends with 1 when there is one."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control import risk_findings
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        found = risk_findings.listed(connection, only_open=not everything)
        last = risk_findings.last_scan(connection)
    if last is None:
        console.print("Nobody has looked yet: run `fleetbook risk`.", markup=False)
        raise typer.Exit(2)
    _list(console, found)
    if not found:
        console.print(f"Nothing is open. The last scan looked up to {last.last_date}.", markup=False)
    if any(one.is_open for one in found):
        raise typer.Exit(1)


def settle(
    finding: Annotated[str, typer.Argument(help="Finding id, or the end of it.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who looked at it.")],
    reason: Annotated[str, typer.Option(help="What it was and what was done, in one sentence.")],
) -> None:
    """Say what a finding was. It is not open any more and is not told again; the log keeps both."""
    from ingest.workspace import Workspace, home
    from runner.control import risk_findings
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook risk settle", recorded_via="app") as control:
        done = risk_findings.settle(control, finding, person, reason)
    typer.echo(f"Settled: {done.finding_id}.")


def _print(console: Console, done: Scanned) -> None:
    from rich.table import Table
    from rich.text import Text

    from app.risk.rules import KINDS

    scan = done.scan
    console.print(
        f"Looked at {scan.first_date} to {scan.last_date}{', demo data' if scan.is_demo else ''}, "
        f"parameters version {scan.rule_version}",
        markup=False,
        style="bold",
    )
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("Check", no_wrap=True)
    for name in ("Looked at", "Found", "New"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for kind, about in KINDS.items():
        looked = scan.populations[kind]
        found, new = (sum(one.risk_kind == kind for one in ones) for ones in (done.found, done.new))
        said = about.title if looked else f"no data: there were no {about.looked_at}"
        style = "" if looked else "yellow"
        table.add_row(kind, f"{looked:,}", f"{found:,}", f"{new:,}", Text(said, style))
    console.print(table)
    if scan.unread_texts:
        why = "erased or encrypted with a key that is not at hand" if done.is_locked else "erased"
        console.print(f"{scan.unread_texts:,} texts could not be read: {why}.", style="yellow")
    _list(console, done.new)
    if not done.new:
        console.print("Nothing new.", markup=False)


def _list(console: Console, found: Sequence[RiskFinding]) -> None:
    from rich.text import Text

    from app.risk.rules import KINDS

    for one in found[:_SHOWN]:
        about = one.agent_id or one.person_id or "no agent"
        style = _STYLES[one.severity] if one.is_open else "dim"
        console.print(Text(f"{one.severity} · {about} · {one.finding_id}", style), soft_wrap=True)
        console.print(Text(f"  {one.reason}"), soft_wrap=True)
        told = f"settled by {one.settled_by}: {one.settled_reason}" if one.settled_at else None
        console.print(Text(f"  {told or KINDS[one.risk_kind].remedy}", "dim"), soft_wrap=True)
    if len(found) > _SHOWN:
        console.print(f"and {len(found) - _SHOWN:,} more: `fleetbook risk findings`.", markup=False)


def _day(text: str) -> dt.date:
    import datetime as dt

    from app.errors import RiskError

    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise RiskError(f"Nothing looked at: {text!r} is no day. Write it as 2026-11-01.") from error
