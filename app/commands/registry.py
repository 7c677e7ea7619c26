"""``fleetbook init``, ``registry check|plan|apply``, ``agents``, ``may``: what is declared, who may what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plan import Plan
    from runner.control.registry import Registry

FileOption = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Default: registry.yaml of the workspace.")
]
_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def register(app: typer.Typer) -> None:
    """Add the registry's commands to the command line."""
    app.command("init")(init)
    registry = typer.Typer(no_args_is_help=True, help="What registry.yaml declares: check, plan, apply.")
    registry.command("check")(check)
    registry.command("plan")(plan)
    registry.command("apply")(apply)
    app.add_typer(registry, name="registry")
    app.command("agents")(agents)
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
    console.print("Next: `fleetbook registry apply`, then", markup=False)
    console.print('  fleetbook run refund-agent "Refund order W-2211, 240 USD" --as jon-vass', markup=False)


def check(file: FileOption = None) -> None:
    """Read registry.yaml and say what is wrong with it: line, key and the nearest valid key."""
    from rich.console import Console

    registry = _load(_file(file))
    console = Console(highlight=False)
    counts = ", ".join(
        f"{len(getattr(registry, kind))} {kind}"
        for kind in ("agents", "tools", "teams", "people", "grants", "budgets")
    )
    console.print(f"Valid: {counts}.", markup=False)
    _print_warnings(console, registry)


def plan(file: FileOption = None) -> None:
    """Show what `registry apply` would change, and what it would not."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    registry = _load(_file(file))
    with Control(Workspace.open(home())) as control:
        found = control.plan(registry)
    console = Console(highlight=False)
    _print_plan(console, found)
    if not found.is_empty:
        console.print("Run `fleetbook registry apply` to make it so.", markup=False)


def apply(
    file: FileOption = None,
    person: Annotated[str | None, typer.Option("--as", metavar="PERSON", help="Who applies it.")] = None,
) -> None:
    """Make registry.yaml the applied one; each difference becomes an event. A second time changes nothing."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    registry = _load(_file(file))
    with Control(workspace, process_name="fleetbook registry apply", recorded_via="registry") as control:
        done = control.apply(registry, person_id=person)
    console = Console(highlight=False)
    _print_plan(console, done)
    if not done.is_empty:
        console.print(f"Applied {len(done.changes)} changes.", markup=False)
    _print_warnings(console, registry)


def agents() -> None:
    """List the agents: decided status, version, model, risk, owner, and tools (* where a rule asks first)."""
    from rich.console import Console
    from rich.text import Text

    from app.terminal import plain
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    with Control(Workspace.open(home())) as control:
        registry, states = control.registry(), control.agent_states()
    console = Console(highlight=False)
    width = max((len(agent_id) for agent_id in states), default=0)
    for agent_id, state in states.items():
        agent = registry.agents.get(agent_id)
        line = Text.assemble((f"{agent_id:<{width}}", "bold"), f"  {state.status:<9} v{state.agent_version}")
        if agent is None:
            console.print(line.append("  no longer declared", "yellow"))
            continue
        facts = (agent.team, f"{agent.risk.risk_class} risk", plain(agent.model), f"owner {agent.owner}")
        console.print(line.append(f"  {' · '.join(facts)}"), soft_wrap=True)
        tools = ", ".join(f"{use.tool}{'*' if use.approval else ''}" for use in agent.tools)
        console.print(Text(f"{'':<{width}}  {tools or 'no tools'}", "dim"), soft_wrap=True)


def may(
    person: Annotated[str, typer.Argument(help="Person id.")],
    action: Annotated[str, typer.Argument(help="For example run_agent, decide_approval, view_metrics.")],
    agent: Annotated[str | None, typer.Argument(help="Agent id; without it the question is general.")] = None,
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
        target = agent_target(registry, agent, person_id=person) if agent else Target(person_id=person)
        ruling = control.may(person, cast(Action, action), target)
    word = "yes" if ruling.allowed else "no"
    Console(highlight=False).print(f"{word}: {ruling.sentence} (rule {ruling.rule_id})", markup=False)
    if not ruling.allowed:
        raise typer.Exit(1)


def _file(file: Path | None) -> Path:
    from ingest.workspace import Workspace, home

    return file if file is not None else Workspace.open(home()).registry_file


def _load(file: Path) -> Registry:
    from runner.agent.binding_check import check_bindings
    from runner.control.registry_file import load_registry

    registry = load_registry(file)
    check_bindings(registry, file)
    return registry


def _print_plan(console: Console, found: Plan) -> None:
    from rich.text import Text

    if found.is_empty:
        console.print("Nothing to change: what the file says is applied.", markup=False)
    for change in found.changes:
        sign, style = _SIGNS[change.verb]
        console.print(Text(f"{sign} {change.kind} {change.name}", style))
        if change.verb == "change":
            for detail in change.details:
                console.print(Text(f"    {detail}"), soft_wrap=True)
    for note in found.notes:
        console.print(Text(f"note: {note}", "dim"), soft_wrap=True)


def _print_warnings(console: Console, registry: Registry) -> None:
    from rich.text import Text

    from runner.agent.binding_check import warnings_of

    for warning in warnings_of(registry):
        console.print(Text(f"warning: {warning}", "yellow"), soft_wrap=True)
