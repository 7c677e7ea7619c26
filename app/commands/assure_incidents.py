"""``fleetbook assure incident …|erasure-…``: incidents with their clocks, and requests of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

    from runner.control.plane import Control

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who records it.")]
ReasonOption = Annotated[str, typer.Option(help="What happened, in one sentence; the log keeps it.")]
MaybeReason = Annotated[str, typer.Option(help="What was said; may be left out.")]
IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="Incident id.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group ``assure``."""
    group.command("incident")(incident)
    group.command("incident-reported")(incident_reported)
    group.command("incident-closed")(incident_closed)
    group.command("erasure-request")(erasure_request)
    group.command("erasure-answered")(erasure_answered)


def incident(
    agent: Annotated[str, typer.Argument(help="Agent id.")],
    person: PersonOption,
    reason: ReasonOption,
    kind: Annotated[
        str, typer.Option("--class", help="widespread (2 days), death (10), serious (15), other (no clock).")
    ] = "other",
    at: Annotated[str | None, typer.Option(help="When it was identified, UTC; now when left out.")] = None,
) -> None:
    """Record that a risk or an incident of an agent was identified (INC-01, INC-02)."""
    from ingest.event_fields import INCIDENT_CLASSES
    from runner.control.assurance import open_incident

    if kind not in INCIDENT_CLASSES:
        raise typer.BadParameter(f"use one of {', '.join(INCIDENT_CLASSES)}", param_hint="--class")
    with _control("incident") as control:
        incident_id = open_incident(control, agent, kind, _moment(at, "--at"), person, reason)
    typer.echo(
        f"Incident {incident_id} is open. Suspend its use: "
        f"`fleetbook agents status {agent} suspended --as {person} --reason {incident_id}`."
    )


def incident_reported(
    incident_id: IncidentArgument,
    to: Annotated[str, typer.Option(help="provider or authority; the provider first.")],
    person: PersonOption,
    reason: MaybeReason = "",
) -> None:
    """Record that the provider or the authority was told of an incident, now (INC-01)."""
    from ingest.event_fields import REPORTED_TO
    from runner.control.assurance import report_incident

    if to not in REPORTED_TO:
        raise typer.BadParameter(f"use one of {', '.join(REPORTED_TO)}", param_hint="--to")
    with _control("incident-reported") as control:
        report_incident(control, incident_id, to, person, reason)
    typer.echo(f"Recorded: the {to} was told of {incident_id}.")


def incident_closed(incident_id: IncidentArgument, person: PersonOption, reason: ReasonOption) -> None:
    """Record that an incident is over and the agent may be used again."""
    from runner.control.assurance import close_incident

    with _control("incident-closed") as control:
        close_incident(control, incident_id, person, reason)
    typer.echo(f"Recorded: {incident_id} is closed.")


def erasure_request(
    person: PersonOption,
    received: Annotated[str | None, typer.Option(help="When it came in, UTC; now when left out.")] = None,
    reason: MaybeReason = "",
) -> None:
    """Record that somebody asked for their texts to be erased; a month runs from then (RET-03)."""
    from runner.control.assurance import request_erasure

    with _control("erasure-request") as control:
        request_id = request_erasure(control, _moment(received, "--received"), person, reason)
    typer.echo(f"Request {request_id} is recorded. `fleetbook log erase --help` says how to carry it out.")


def erasure_answered(
    request_id: Annotated[str, typer.Argument(metavar="REQUEST", help="Request id.")],
    person: PersonOption,
    reason: ReasonOption,
) -> None:
    """Record that a request was carried out, or refused, and the person answered (RET-03)."""
    from runner.control.assurance import answer_erasure

    with _control("erasure-answered") as control:
        answer_erasure(control, request_id, person, reason)
    typer.echo(f"Recorded: {request_id} is answered.")


def _moment(text: str | None, option: str) -> dt.datetime:
    import datetime as dt

    if text is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        advice = f"{text!r} is no time; write it as 2026-10-05 or 2026-10-05T14:30"
        raise typer.BadParameter(advice, param_hint=option) from None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _control(command: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=f"fleetbook assure {command}")
