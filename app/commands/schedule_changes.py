"""``fleetbook schedules add|pause|resume|remove``: schedules are changed in registry.yaml and applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.agent_changes import AsOption, ReasonOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.control.plan import Plan
    from runner.control.plane import Control

ScheduleArgument = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Schedule id.")]


def register(app: typer.Typer) -> None:
    """Add the changes to ``fleetbook schedules``, wherever that was begun."""
    group = next((one.typer_instance for one in app.registered_groups if one.name == "schedules"), None)
    if group is None:
        group = typer.Typer(
            no_args_is_help=True, help="Schedules: when agents run by themselves, and as whom."
        )
        app.add_typer(group, name="schedules")
    group.command("add")(add)
    group.command("pause")(pause)
    group.command("resume")(resume)
    group.command("remove")(remove)


def add(
    schedule: ScheduleArgument,
    agent: Annotated[str, typer.Option("--agent", help="Agent that runs.")],
    cron: Annotated[str, typer.Option("--cron", help='Five fields, for example "0 8 * * 1".')],
    task: Annotated[str, typer.Option("--task", help="What it is asked to do.")],
    person: AsOption,
    run_as: Annotated[
        str | None, typer.Option("--run-as", metavar="PERSON", help="As whom it runs. Default: who adds it.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="IANA name. Default: the company's.")
    ] = None,
    misfire: Annotated[
        str, typer.Option("--misfire", help="When nobody was there: skip, run_once or run_all.")
    ] = "run_once",
) -> None:
    """Declare a schedule and apply it. It runs as a person, and stops when that person may no more."""
    from pydantic import ValidationError

    from app.errors import AppError
    from runner.control import schedule_changes
    from runner.control.registry_extras import Schedule

    facts = {"agent": agent, "cron": cron, "task": task, "run_as": run_as or person, "misfire": misfire}
    if time_zone:
        facts["time_zone"] = time_zone
    try:
        declared = Schedule.model_validate(facts)
    except ValidationError as error:
        wrong = error.errors()[0]
        said = str(wrong["msg"]).removeprefix("Value error, ")
        raise AppError(
            f"Not added: schedule {schedule}: {wrong['loc'][0]}: {said}. Correct it and try again."
        ) from error
    _change(lambda control: schedule_changes.add_schedule(control, schedule, declared, by=person))


def pause(schedule: ScheduleArgument, person: AsOption, reason: ReasonOption = None) -> None:
    """Let a schedule rest until it is resumed."""
    from runner.control import schedule_changes

    _change(lambda control: schedule_changes.pause_schedule(control, schedule, by=person, reason=reason))


def resume(schedule: ScheduleArgument, person: AsOption, reason: ReasonOption = None) -> None:
    """Let a paused schedule fire again, from its next slot on."""
    from runner.control import schedule_changes

    _change(lambda control: schedule_changes.resume_schedule(control, schedule, by=person, reason=reason))


def remove(schedule: ScheduleArgument, person: AsOption, reason: ReasonOption = None) -> None:
    """Take a schedule out of registry.yaml; what it fired stays in the log."""
    from runner.control import schedule_changes

    _change(lambda control: schedule_changes.remove_schedule(control, schedule, by=person, reason=reason))


def _change(make: Callable[[Control], Plan]) -> None:
    from rich.console import Console

    from app.commands.plan_shown import print_plan
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook schedules") as control:
        print_plan(Console(highlight=False), make(control))
