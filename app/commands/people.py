"""``fleetbook people``: who is declared, with which role; added, changed, and seen off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.agent_changes import AsOption, ReasonOption

if TYPE_CHECKING:
    from runner.control.people_changes import Departure

PersonArgument = Annotated[str, typer.Argument(metavar="PERSON", help="Person id, for example mara-lindt.")]


def register(app: typer.Typer) -> None:
    """Add ``people`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="People: who has which role; adding, changing, leaving.")
    group.command("list")(list_people)
    group.command("add")(add)
    group.command("role")(role)
    group.command("sign-in")(sign_in)
    group.command("leave")(leave)
    app.add_typer(group, name="people")


def list_people() -> None:
    """List people with team, role and its reach, and those who left."""
    from rich.console import Console

    from app.terminal import plain
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    with Control(Workspace.open(home())) as control:
        registry = control.registry()
    console = Console(highlight=False)
    width = max(len(person_id) for person_id in (*registry.people, *registry.former_people, ""))
    for person_id, person in registry.people.items():
        reach = registry.roles[person.role].scope
        line = f"{person_id:<{width}}  {plain(person.name)} · {person.team} · {person.role} (reach {reach})"
        console.print(line, markup=False, soft_wrap=True)
    for person_id, former in registry.former_people.items():
        line = f"{person_id:<{width}}  {plain(former.name)} · left {former.left.isoformat()}"
        console.print(line, markup=False, style="dim", soft_wrap=True)


def add(
    person: PersonArgument,
    name: Annotated[str, typer.Option("--name", help="As people see it.")],
    team: Annotated[str, typer.Option("--team", help="Team of registry.yaml.")],
    role_id: Annotated[str, typer.Option("--role", metavar="ROLE", help="Role of registry.yaml.")],
    by: AsOption,
) -> None:
    """Declare a person with a team and a role, and apply it."""
    from rich.console import Console

    from app.commands.plan_shown import print_plan
    from ingest.workspace import Workspace, home
    from runner.control import people_changes
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook people") as control:
        print_plan(
            Console(highlight=False), people_changes.add_person(control, person, name, team, role_id, by=by)
        )


def role(
    person: PersonArgument,
    role_id: Annotated[str, typer.Argument(metavar="ROLE", help="Role of registry.yaml.")],
    by: AsOption,
    team: Annotated[str | None, typer.Option("--team", help="Another team as well.")] = None,
) -> None:
    """Give a person another role (and team); it counts from the next question on."""
    from rich.console import Console

    from app.commands.plan_shown import print_plan
    from ingest.workspace import Workspace, home
    from runner.control import people_changes
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook people") as control:
        done = people_changes.change_role(control, person, role_id, team_id=team, by=by)
        print_plan(Console(highlight=False), done)


def sign_in(
    person: PersonArgument,
    by: AsOption,
    email: Annotated[
        str | None, typer.Option("--email", help="Address that the provider has verified.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="The provider's id of the person (claim sub).")
    ] = None,
) -> None:
    """Say how a sign-in names a person; without address and subject, that it names them no more."""
    from rich.console import Console

    from app.commands.plan_shown import print_plan
    from ingest.workspace import Workspace, home
    from runner.control import people_changes
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook people") as control:
        done = people_changes.name_sign_in(control, person, email=email, subject=subject, by=by)
        print_plan(Console(highlight=False), done)


def leave(person: PersonArgument, by: AsOption, reason: ReasonOption = None) -> None:
    """See a person off: they may nothing from now on, agents go to their deputies, schedules stop."""
    from rich.console import Console

    from app.commands.plan_shown import print_plan
    from ingest.workspace import Workspace, home
    from runner.control import people_changes
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home()), process_name="fleetbook people") as control:
        left = people_changes.leave(control, person, by=by, reason=reason)
        print_plan(console, left.plan)
    for line in _what_became(person, left):
        console.print(line, markup=False, soft_wrap=True)


def _what_became(person: str, left: Departure) -> list[str]:
    lines = [f"{person} may nothing from now on."]
    for agent_id, owner in left.new_owners.items():
        if owner:
            lines.append(f"{agent_id} belongs to {owner} now.")
        else:
            lines.append(
                f"{agent_id} is an orphan: `fleetbook agents owner {agent_id} <person> --as <person>`."
            )
    lines += [f"Schedule {name} stopped." for name in left.stopped_schedules]
    lines += [
        f"Team {name} has no manager: name one under teams in registry.yaml."
        for name in left.teams_without_manager
    ]
    if left.open_requests:
        lines.append(f"Requests that wait on for others to decide: {', '.join(left.open_requests)}.")
    return lines
