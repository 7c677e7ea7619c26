"""``fleetbook init``, ``registry check|plan|apply``, ``may``: what is declared, and who may what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plane import Control
    from runner.control.registry import Registry

FileOption = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Default: registry.yaml of the workspace.")
]
# The starter's refund agent can pay: who did not write it has to agree before it runs for the first time.
NEXT_STEPS = (
    "fleetbook registry apply",
    "fleetbook agents approve-version refund-agent --as mara-lindt",
    'fleetbook run refund-agent "Refund order W-2211, 240 USD" --as jon-vass',
)


def register(app: typer.Typer) -> None:
    """Add the registry's commands to the command line."""
    app.command("init")(init)
    registry = typer.Typer(no_args_is_help=True, help="What registry.yaml declares: check, plan, apply.")
    registry.command("check")(check)
    registry.command("plan")(plan)
    registry.command("apply")(apply)
    app.add_typer(registry, name="registry")
    app.command("may")(may)


def init() -> None:
    """Make a workspace with a small, runnable registry.yaml. What is there already stays as it is."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.starter import STARTER

    console = Console(highlight=False)
    workspace = Workspace.create(home())
    file = workspace.registry_file
    if file.exists():
        console.print(f"Workspace {workspace.root} is there; {file.name} stays as it is.", markup=False)
    else:
        temporary = file.with_suffix(".yaml.tmp")
        temporary.write_text(STARTER, encoding="utf-8")
        temporary.replace(file)
        console.print(f"Made workspace {workspace.root} with {file.name}: 3 agents, 5 people.", markup=False)
    console.print("Next:", markup=False)
    for command in NEXT_STEPS:
        console.print(f"  {command}", markup=False)


def check(file: FileOption = None) -> None:
    """Read registry.yaml and say what is wrong with it: line, key and the nearest valid key."""
    from rich.console import Console

    from runner.errors import RegistryInvalid

    console = Console(highlight=False)
    try:
        registry = _load(_file(file))
    except RegistryInvalid:
        left = _known_to_have_left(_file(file))
        if left is None:
            raise
        registry = left
        console.print("People were deleted: `fleetbook registry plan` shows what becomes of what was theirs.")
    counts = ", ".join(
        f"{len(getattr(registry, kind))} {kind}"
        for kind in ("agents", "tools", "teams", "people", "grants", "budgets")
    )
    console.print(f"Valid: {counts}.", markup=False)
    _print_warnings(console, registry)


def plan(file: FileOption = None) -> None:
    """Show what `registry apply` would change, and what it would not."""
    from rich.console import Console

    from app.commands.plan_shown import print_plan
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    with Control(Workspace.open(home())) as control:
        found = control.plan(_settled(control, _file(file)).registry)
    console = Console(highlight=False)
    print_plan(console, found)
    if not found.is_empty:
        console.print("Run `fleetbook registry apply` to make it so.", markup=False)


def apply(
    file: FileOption = None,
    person: Annotated[str | None, typer.Option("--as", metavar="PERSON", help="Who applies it.")] = None,
) -> None:
    """Make registry.yaml the applied one; each difference becomes an event. A second time changes nothing.

    Of people who were deleted from the file, agents go to the deputies and schedules stop, in the file too.
    """
    from rich.console import Console

    from app.commands.plan_shown import print_plan, print_waiting_versions
    from ingest.workspace import Workspace, home
    from runner.control.amend import replace_file
    from runner.control.plane import Control
    from runner.control.registry_file import declared_people, read_text

    workspace = Workspace.open(home())
    console = Console(highlight=False)
    declared_people(read_text(_file(file)), _file(file))  # what breaks the schema makes no control store
    with Control(workspace, process_name="fleetbook registry apply", recorded_via="registry") as control:
        settled = _settled(control, _file(file))
        done = control.apply(settled.registry, person_id=person)
        if settled.is_changed:
            replace_file(settled.file, settled.text)
        print_plan(console, done)
        if not done.is_empty:
            console.print(f"Applied {len(done.changes)} changes.", markup=False)
        print_waiting_versions(console, control)
    _print_warnings(console, settled.registry)


def may(
    person: Annotated[str, typer.Argument(help="Person id.")],
    action: Annotated[str, typer.Argument(help="For example run_agent, decide_approval, view_metrics.")],
    agent: Annotated[str | None, typer.Argument(help="Agent id; without it the question is general.")] = None,
    tool: Annotated[str | None, typer.Option("--tool", help="For use_tool and decide_approval.")] = None,
    knowledge: Annotated[str | None, typer.Option("--knowledge", help="For read_knowledge.")] = None,
) -> None:
    """Say whether a person may do something, and which rule decides. Ends with 1 when not."""
    from typing import cast, get_args

    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.access import Target, agent_target
    from runner.control.declared import Action, nearest
    from runner.control.lifecycle import find_agent
    from runner.control.plane import Control
    from runner.errors import NotFound

    known = list(get_args(Action))
    if action not in known:
        raise NotFound("action", action, nearest(action, known), f"Actions: {', '.join(known)}.")
    with Control(Workspace.open(home())) as control:
        registry = control.registry()
        control.known_person(registry, person)
        if agent is not None:
            with control.store.read() as connection:
                find_agent(connection, registry, agent)
        for kind, name, names in (
            ("tool", tool, registry.tools),
            ("knowledge", knowledge, registry.knowledge),
        ):
            if name is not None and name not in names:
                raise NotFound(kind, name, nearest(name, list(names)), "It has to be in registry.yaml.")
        target = Target(person_id=person, tool=tool, knowledge=knowledge)
        if agent is not None:
            target = agent_target(registry, agent, person_id=person, tool=tool, knowledge=knowledge)
        ruling = control.may(person, cast(Action, action), target)
    word = "yes" if ruling.allowed else "no"
    Console(highlight=False).print(f"{word}: {ruling.sentence} (rule {ruling.rule_id})", markup=False)
    if not ruling.allowed:
        raise typer.Exit(1)


def _file(file: Path | None) -> Path:
    from ingest.workspace import Workspace, home

    return file if file is not None else Workspace.open(home()).registry_file


class _Settled(NamedTuple):
    """A registry file as it will be applied."""

    file: Path
    text: str
    registry: Registry
    is_changed: bool


def _settled(control: Control, file: Path) -> _Settled:
    """The file, with what became of people who were deleted from it. Raises RegistryInvalid."""
    from runner.agent.binding_check import check_bindings
    from runner.control.departures import settled
    from runner.control.registry_file import read_text
    from runner.control.revisions import applied_registry

    before = read_text(file)
    with control.store.read() as connection:
        applied = applied_registry(connection)
    text, registry = settled(before, file, applied, control.store.clock().date())
    check_bindings(registry, file)
    return _Settled(file, text, registry, text != before)


def _known_to_have_left(file: Path) -> Registry | None:
    """The registry where all that is wrong is that people were deleted who are applied; None otherwise."""
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.errors import RegistryInvalid, RegistryNotApplied

    workspace = Workspace.open(home())
    store = Path(workspace.control_url.removeprefix("sqlite:///"))
    is_new = workspace.control_url.startswith("sqlite") and not store.exists()
    if file != workspace.registry_file or is_new:  # a check makes no control store
        return None
    with Control(workspace) as control:
        try:
            control.registry()
            return _settled(control, file).registry
        except (RegistryInvalid, RegistryNotApplied):
            return None


def _load(file: Path) -> Registry:
    from runner.agent.binding_check import check_bindings
    from runner.control.registry_file import load_registry

    registry = load_registry(file)
    check_bindings(registry, file)
    return registry


def _print_warnings(console: Console, registry: Registry) -> None:
    from rich.text import Text

    from runner.agent.binding_check import warnings_of

    for warning in warnings_of(registry):
        console.print(Text(f"warning: {warning}", "yellow"), soft_wrap=True)
