"""``fleetbook cases`` and ``fleetbook case``: what failed checks led to, by when, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

    from rich.console import Console

    from runner.control.cases import Case
    from runner.control.plane import Control


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("cases")(list_cases)
    app.command("case")(case)


def list_cases(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only open ones past their deadline.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
) -> None:
    """List open cases, the nearest deadline first. With --overdue it ends with 1 when there is one."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control import cases
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home())) as control:
        with control.store.read() as connection:
            found = cases.listed(connection, only_open=not everything)
        now = control.store.clock()
    late = [one for one in found if one.is_overdue(now)]
    for one in late if overdue else found:
        _print_case(console, one, now)
    if overdue and late:
        raise typer.Exit(1)
    if not found or overdue:
        console.print("No case is overdue." if overdue else "No case is open.", markup=False)


def case(
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="Case id, see `fleetbook cases`.")],
    step: Annotated[str, typer.Argument(metavar="[note|assign|close]", help="Without it: show it.")] = "",
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who does it.")] = "",
    reason: Annotated[str, typer.Option(help="What is noted, or why it is done.")] = "",
    evidence: Annotated[str, typer.Option(help="What shows it: a ticket, a document, an event.")] = "",
    owner: Annotated[str, typer.Option(metavar="PERSON", help="With assign: who sees to it now.")] = "",
) -> None:
    """Show a case with its timeline, write into it, give it to somebody, or close it with evidence.

    The owner of the case may, and who may sign_report.
    """
    from rich.console import Console

    from app.errors import CheckError
    from ingest.workspace import Workspace, home
    from runner.control import cases
    from runner.control.plane import Control

    if step not in ("", "note", "assign", "close") or (step == "assign" and not owner):
        raise CheckError(
            f"Nothing done with case {case_id}: {step or 'no'} step. "
            "Use note, close, or assign with --owner <person>."
        )
    with Control(Workspace.open(home()), process_name="fleetbook case", recorded_via="app") as control:
        if step in ("note", "assign"):
            words = reason or (f"given to {owner}" if step == "assign" else "")
            cases.note(control, case_id, person, words, evidence=evidence or None, owner_id=owner or None)
        elif step == "close":
            cases.close(control, case_id, person, reason, evidence)
        _show(Console(highlight=False), control, case_id)


def _show(console: Console, control: Control, case_id: str) -> None:
    from rich.text import Text

    from runner.control import cases

    with control.store.read() as connection:
        found, entries = cases.find(connection, case_id), cases.timeline(connection, case_id)
    _print_case(console, found, control.store.clock())
    for entry in entries:
        evidence = f" [{entry.evidence}]" if entry.evidence else ""
        head = f"  {entry.told_at:%Y-%m-%d %H:%M} {entry.kind} · {entry.person_id or 'the check'}: "
        console.print(Text(f"{head}{entry.reason}{evidence}"), soft_wrap=True)


def _print_case(console: Console, one: Case, now: dt.datetime) -> None:
    from rich.text import Text

    if one.closed_at is not None:
        state, style = f"closed {one.closed_at:%Y-%m-%d} by {one.closed_by}", "dim"
    elif one.is_overdue(now):
        state, style = f"OVERDUE since {one.due_at:%Y-%m-%d}", "red"
    else:
        state, style = f"due {one.due_at:%Y-%m-%d}", "bold"
    head = f"{one.case_id} · {one.severity} · {one.owner_id or 'no owner'} · {state}"
    console.print(Text(head, style), soft_wrap=True)
    months = ", ".join(one.months)
    console.print(Text(f"  {one.title} ({months}; {one.deadline_rule})"), soft_wrap=True)
