"""``fleetbook schedules``: when agents run by themselves, and what became of every slot."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runner.control.plane import Control
    from runner.control.schedule_book import Expected, Standing

ScheduleArgument = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Schedule id.")]
PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who acts.")]


def register(app: typer.Typer) -> None:
    """Add the group ``schedules`` to the command line, or its words to the group that is there."""
    group = next((one.typer_instance for one in app.registered_groups if one.name == "schedules"), None)
    if group is None:
        group = typer.Typer(help="When agents run by themselves, and what became of every slot.")
        app.add_typer(group, name="schedules")
    group.callback(invoke_without_command=True)(list_schedules)
    group.command("expected")(expected)
    group.command("run-now")(run_now)


def list_schedules(context: typer.Context) -> None:
    """When agents run by themselves: next and last fire of each schedule, and its missed and late slots.

    A worker fires them: `fleetbook worker`. Ends with 0.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    from app.terminal import foreign
    from runner.control.schedule_book import standings

    console = Console(highlight=False)
    with _control("fleetbook schedules") as control:
        found = standings(control)
    if not found:
        console.print("No schedule is declared; they stand under schedules in registry.yaml.", markup=False)
    for one in found:
        console.print(foreign(f"{one.schedule_id}  {one.agent_id} as {one.run_as}", "bold"))
        for line in _lines(one):
            console.print(foreign(f"  {line}"), soft_wrap=True)


def expected(
    since: Annotated[
        dt.datetime | None, typer.Option("--from", help="First day, UTC. Default: a week ago.")
    ] = None,
    until: Annotated[
        dt.datetime | None, typer.Option("--to", help="Up to this day, UTC. Default: tomorrow.")
    ] = None,
    schedule: Annotated[str | None, typer.Option("--schedule", help="Only this one.")] = None,
) -> None:
    """List every expected fire and what became of it; ends with 1 when one was missed or refused."""
    from rich.console import Console

    from app.terminal import foreign
    from runner.control.schedule_book import expected_fires

    console = Console(highlight=False)
    with _control("fleetbook schedules") as control:
        now = control.store.clock()
        first = since.replace(tzinfo=dt.UTC) if since else now - dt.timedelta(days=7)
        last = until.replace(tzinfo=dt.UTC) if until else now + dt.timedelta(days=1)
        found = expected_fires(control, first, last, schedule)
    for one in found:
        console.print(foreign(_fire_line(one)), soft_wrap=True)
    lost = sum(one.status in ("missed", "refused") for one in found)
    late = sum(one.is_late for one in found)
    console.print(f"{len(found)} expected, {lost} missed or refused, {late} late.", markup=False)
    if lost:
        raise typer.Exit(1)


def run_now(schedule: ScheduleArgument, person: PersonOption) -> None:
    """Queue the run of a schedule now, outside its slots, as its own identity; a worker plays it."""
    from runner.control.schedules import run_now as start

    with _control("fleetbook schedules") as control:
        run_id = start(control, schedule, person)
        control.relay.flush()
    typer.echo(f"Run {run_id} is queued; a worker plays it, or `fleetbook worker --once`.")


def _lines(one: Standing) -> list[str]:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(one.time_zone)
    policy = f"misfire {one.misfire}, {one.grace_minutes} min grace"
    lines = [f"{one.cron} in {one.time_zone} ({one.words}) · {policy}"]
    if one.paused:
        lines.append("paused")
    elif one.next_slots:
        lines.append(
            "next  " + ", ".join(f"{slot.astimezone(zone):%a %Y-%m-%d %H:%M}" for slot in one.next_slots)
        )
    if one.last_slot is not None:
        slot, run = one.last_slot.astimezone(zone), f", run {one.last_run_id}" if one.last_run_id else ""
        late = f", {one.last_lateness_s:.0f} s after its slot" if one.last_lateness_s is not None else ""
        lines.append(f"last  {slot:%a %Y-%m-%d %H:%M}: {one.last_status}{late}{run}")
    fired = f"fired {one.fired_count} ({one.late_count} late)"
    return [*lines, f"{fired} · missed {one.missed_count} · refused {one.refused_count}"]


def _fire_line(one: Expected) -> str:
    late = " late" if one.is_late else ""
    why = f"  {one.reason}" if one.reason else ""
    run = f"  run {one.run_id}" if one.run_id else ""
    return f"{one.slot_at:%Y-%m-%d %H:%M} UTC  {one.schedule_id}  {one.status}{late}{run}{why}"


def _control(process_name: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=process_name)
