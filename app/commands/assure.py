"""``fleetbook assure``: record what the monthly check needs and no run leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import assure_incidents

if TYPE_CHECKING:
    import datetime as dt

    from runner.control.plane import Control

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who records it.")]
ReasonOption = Annotated[str, typer.Option(help="What was done, in one sentence; the log keeps it.")]
MaybeReason = Annotated[str, typer.Option(help="What was done; may be left out.")]


def register(app: typer.Typer) -> None:
    """Add the group ``assure`` to the command line."""
    group = typer.Typer(
        no_args_is_help=True, help="Record trainings, evaluations, incidents, drills: evidence for the check."
    )
    group.command("training")(training)
    group.command("evaluation")(evaluation)
    group.command("seeded-case")(seeded_case)
    group.command("restore-drill")(restore_drill)
    group.command("recovery")(recovery)
    group.command("absence")(absence)
    assure_incidents.register(group)
    app.add_typer(group, name="assure")


def training(
    trained: Annotated[str, typer.Argument(metavar="WHO", help="Person id who was trained to oversee.")],
    until: Annotated[str, typer.Option(help="Last day on which it is valid, as 2027-06-30.")],
    person: PersonOption,
    agent: Annotated[str | None, typer.Option(help="Only for this agent.")] = None,
    team: Annotated[str | None, typer.Option(help="Only for the agents of this team.")] = None,
    reason: MaybeReason = "",
) -> None:
    """Record that a person was trained to oversee agents (HITL-05)."""
    from runner.control.assurance import record_training

    with _control("training") as control:
        day = _day(until, "--until")
        record_training(control, trained, day, person, agent_id=agent, team_id=team, reason=reason)
    typer.echo(f"Recorded: {trained} may oversee {agent or team or 'every agent'} until {until}.")


def evaluation(
    agent: Annotated[str, typer.Argument(help="Agent id.")],
    passed: Annotated[bool, typer.Option("--passed/--failed", help="Whether the version passed.")],
    person: PersonOption,
    reason: ReasonOption,
    version: Annotated[int | None, typer.Option(help="Version number; the newest when left out.")] = None,
) -> None:
    """Record that a version was evaluated (GOV-02)."""
    from runner.control.assurance import record_evaluation

    with _control("evaluation") as control:
        record_evaluation(control, agent, version, person, reason, is_good=passed)
    typer.echo(f"Recorded: {agent} {f'v{version} ' if version else ''}{'passed' if passed else 'failed'}.")


def seeded_case(
    reviewer: Annotated[str, typer.Argument(help="Person id of the reviewer who got the case.")],
    caught: Annotated[bool, typer.Option("--caught/--missed", help="Whether the planted error was caught.")],
    person: PersonOption,
    approval: Annotated[str | None, typer.Option(help="Approval id of the case, if there is one.")] = None,
    reason: MaybeReason = "",
) -> None:
    """Record what a reviewer made of a case with a planted error (HITL-10)."""
    from runner.control.assurance import record_seeded_case

    with _control("seeded-case") as control:
        record_seeded_case(control, reviewer, person, is_good=caught, approval_id=approval, reason=reason)
    typer.echo(f"Recorded: {reviewer} {'caught' if caught else 'missed'} the planted error.")


def restore_drill(
    copy: Annotated[str, typer.Argument(help="Workspace folder restored from the off-host copy.")],
    person: PersonOption,
    reason: MaybeReason = "",
) -> None:
    """Verify a restored copy of the log, compare it with the log, and record the result (RET-04)."""
    from pathlib import Path

    from app.checks.restored import verify_copy
    from ingest.workspace import Workspace, home
    from runner.control.assurance import record_restore

    found = verify_copy(Workspace.open(home()), Path(copy))
    said = f"{reason.strip()}: {found.words}" if reason.strip() else found.words
    with _control("restore-drill") as control:
        record_restore(control, person, said, is_good=found.is_good, root=found.root)
    typer.echo(f"{'Restored' if found.is_good else 'Not restored'}: {found.words}.")
    if not found.is_good:
        raise typer.Exit(1)


def recovery(
    writer: Annotated[str, typer.Argument(help="Writer id, as the check names it.")],
    person: PersonOption,
    reason: ReasonOption,
) -> None:
    """Explain why a writer of the log had to be recovered (INT-07)."""
    from runner.control.assurance import explain_recovery

    with _control("recovery") as control:
        explain_recovery(control, writer, person, reason)
    typer.echo(f"Recorded: writer {writer} is explained.")


def absence(
    check: Annotated[str, typer.Argument(help="Check id, for example INC-01.")],
    month: Annotated[str, typer.Option(help="Month, for example 2026-10.")],
    person: PersonOption,
    reason: ReasonOption,
) -> None:
    """State that there was nothing to look at for a check in a month; it is then MANUAL, in your name."""
    from app.checks.catalogue import known_check
    from runner.control.assurance import attest_absence
    from runner.control.months import month_text, parse_month

    asked, known = month_text(parse_month(month)), known_check(check)
    with _control("absence") as control:
        attest_absence(control, known, asked, person, reason)
    typer.echo(f"Recorded: {person} states that {known} had nothing to look at in {asked}.")


def _day(text: str, option: str) -> dt.date:
    import datetime as dt

    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2027-06-30", param_hint=option) from None


def _control(command: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=f"fleetbook assure {command}")
