"""``fleetbook alerts``: what is raised on metrics, who looks after it, and what the alerts find now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.alerts import Incident
    from runner.control.plane import Control


def register(app: typer.Typer) -> None:
    """Add the group ``alerts`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Alerts on metrics, as registry.yaml declares them.")
    group.command("list")(list_alerts)
    group.command("ack")(acknowledge)
    group.command("test")(try_out)
    app.add_typer(group, name="alerts")


def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Ended ones, too.")] = False,
) -> None:
    """List raised alerts, the newest first. Ends with 1 when nobody looks after one yet."""
    from rich.console import Console

    from runner.control.alerts import listed

    console = Console(highlight=False)
    with _control("list") as control, control.store.read() as connection:
        found = listed(connection, only_open=not everything)
    for one in found:
        _print(console, one)
    if not found:
        console.print("No alert is raised." if not everything else "No alert was ever raised.", markup=False)
    if any(one.is_open and one.acknowledged_by is None for one in found):
        raise typer.Exit(1)


def acknowledge(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Incident id, see `alerts list`.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who looks after it.")],
    reason: Annotated[str, typer.Option(help="What is being done; may be left out.")] = "",
) -> None:
    """Say that you have seen a raised alert and look after it; it ends by itself when its cause does."""
    from runner.control.alerts import acknowledge as seen

    with _control("ack") as control:
        found = seen(control, incident, person, reason)
    typer.echo(
        f"{person} looks after {found.alert_incident_id} since {found.acknowledged_at:%Y-%m-%d %H:%M} UTC."
    )


def try_out(
    alert: Annotated[str | None, typer.Argument(metavar="[ALERT]", help="Only this alert.")] = None,
) -> None:
    """Measure the alerts of registry.yaml over the current build; nothing is raised, nobody is told.

    The file is read as it is, applied or not. Ends with 1 when one would be raised, with 2 when one cannot be
    measured at all.
    """
    from rich.console import Console

    from app.alerting import measure
    from app.errors import QuestionError, WarehouseError
    from app.terminal import plain
    from app.warehouse import Warehouse
    from ingest.log.writer import utc_now
    from ingest.workspace import Workspace, home
    from runner.control.registry_file import load_registry

    workspace = Workspace.open(home())
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(
            f"Nothing to measure: {workspace.root} has no build. Run `fleetbook build` first."
        )
    registry = load_registry(workspace.registry_file)
    names = [one.id for one in registry.alerts]
    if alert is not None and alert not in names:
        raise QuestionError(f"Unknown alert {alert!r}: registry.yaml declares {', '.join(names) or 'none'}.")
    console = Console(highlight=False)
    verdicts = set()
    for one in measure(warehouse, registry, utc_now(), is_demo=workspace.is_demo):
        if alert not in (None, one.alert.id):
            continue
        raising = one.verdict == "wrong" or one.finding().is_raising
        word = {"no_data": "no data", "wrong": "CANNOT"}.get(one.verdict, "RAISE" if raising else "fine")
        word = "RAISE" if raising and one.verdict == "no_data" else word
        console.print(plain(f"{word:8} {one.alert.id}: {one.sentence}"), markup=False, soft_wrap=True)
        verdicts.add("wrong" if one.verdict == "wrong" else "raise" if raising else "fine")
    if not verdicts:
        console.print("registry.yaml declares no alerts; docs/alerts.md says how.", markup=False)
    if "wrong" in verdicts:
        raise typer.Exit(2)
    if "raise" in verdicts:
        raise typer.Exit(1)


def _print(console: Console, one: Incident) -> None:
    from app.terminal import foreign

    if one.resolved_at is not None:
        state = f"ended {one.resolved_at:%Y-%m-%d %H:%M}"
    elif one.acknowledged_by is not None:
        state = f"{one.acknowledged_by} looks after it since {one.acknowledged_at:%Y-%m-%d %H:%M}"
    else:
        state = "nobody looks after it"
    console.print(
        foreign(
            f"{one.alert_incident_id}  {one.alert_id}  raised {one.raised_at:%Y-%m-%d %H:%M} UTC  {state}"
        ),
        soft_wrap=True,
    )
    console.print(foreign(f"  {one.title}"), soft_wrap=True)


def _control(command: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=f"fleetbook alerts {command}")
