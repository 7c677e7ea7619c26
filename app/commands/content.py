"""``fleetbook grant-content``, ``content-grants``, ``end-content-grant``: texts for who sees numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

AsOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who decides it.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in one sentence; the log keeps it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("grant-content")(grant_content)
    app.command("content-grants")(content_grants)
    app.command("end-content-grant")(end_content_grant)


def grant_content(
    person: Annotated[str, typer.Argument(help="Person id who is to read, for example an auditor.")],
    until: Annotated[
        str, typer.Option(metavar="TIME", help="2026-12-01 (that day included) or 2026-12-01T17:30, UTC.")
    ],
    reason: ReasonOption,
    by: AsOption,
    agent: Annotated[str | None, typer.Option(help="Only texts of this agent's runs.")] = None,
    run: Annotated[str | None, typer.Option(help="Only texts of this run.")] = None,
) -> None:
    """Let a person read prompts, answers, arguments and results until a time, at most 31 days on.

    Somebody else decides it who may read these texts by role. Each reading is an event that names the grant.
    """
    from ingest.workspace import Workspace, home
    from runner.control import content_grants
    from runner.control.plane import Control

    with Control(
        Workspace.open(home()), process_name="fleetbook grant-content", recorded_via="app"
    ) as control:
        done = content_grants.grant(control, person, _moment(until), reason, by, agent_id=agent, run_id=run)
    about = f"run {run}" if run else f"agent {agent}" if agent else "all that they may see"
    typer.echo(
        f"Granted: {person} may read texts of {about} until {done.expires_at:%Y-%m-%d %H:%M} UTC, "
        f"grant {done.grant_id[-12:]}."
    )


def content_grants(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """List who may read texts under a grant, until when, why, and who decided it."""
    from rich.console import Console
    from rich.text import Text

    from ingest.workspace import Workspace, home
    from runner.control import content_grants
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home())) as control:
        with control.store.read() as connection:
            found = content_grants.of_person(connection)
        now = control.store.clock()
    shown = [one for one in found if everything or one.is_in_force(now)]
    if not shown:
        console.print("No grant of content is in force.", markup=False)
    for one in shown:
        state = "in force" if one.is_in_force(now) else f"ended by {one.ended_by}" if one.ended_by else "over"
        about = f"run {one.run_id}" if one.run_id else f"agent {one.agent_id}" if one.agent_id else "all"
        head = f"{one.person_id} · {about} · until {one.expires_at:%Y-%m-%d %H:%M} UTC · {state}"
        console.print(Text(head, "bold" if state == "in force" else "dim"), soft_wrap=True)
        told = f"  {one.granted_by}: {one.reason} (grant {one.grant_id[-12:]})"
        console.print(Text(told, "dim"), soft_wrap=True)


def end_content_grant(
    grant: Annotated[str, typer.Argument(help="Grant, or the end of its id; see content-grants.")],
    reason: ReasonOption,
    by: AsOption,
) -> None:
    """Take a grant of content back before its time."""
    from ingest.workspace import Workspace, home
    from runner.control import content_grants
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    with Control(workspace, process_name="fleetbook end-content-grant", recorded_via="app") as control:
        done = content_grants.end(control, grant, by, reason)
    typer.echo(f"Ended: {done.person_id} may not read texts under grant {done.grant_id[-12:]} any more.")


def _moment(text: str) -> dt.datetime:
    import datetime as dt

    from runner.errors import AssuranceRefused

    try:
        if len(text) == len("2026-12-01"):
            return dt.datetime.combine(dt.date.fromisoformat(text) + dt.timedelta(days=1), dt.time(), dt.UTC)
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        advice = "Write it as 2026-12-01 or 2026-12-01T17:30."
        raise AssuranceRefused("a grant of content", f"{text!r} is no time", advice) from error
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
