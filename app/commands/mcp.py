"""``fleetbook mcp``: tool servers, what they show, and the review that agents of high risk wait for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.agent.mcp_review import Server
    from runner.control.plane import Control


def register(app: typer.Typer) -> None:
    """Add ``mcp`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Tool servers (MCP): what they show, and its review.")
    group.command("list")(list_servers)
    group.command("pin")(pin)
    app.add_typer(group, name="mcp")


def list_servers() -> None:
    """Ask each declared server for its tools, and compare with what is declared and reviewed.

    Ends with 1 when a reviewed tool is gone or shown differently, 2 when a server cannot be reached.
    """
    from rich.console import Console

    from runner.agent.mcp_review import servers

    console = Console(highlight=False)
    with _control("fleetbook mcp") as control:
        found = servers(control.registry())
    if not found:
        console.print("No server is declared; mcp_servers in registry.yaml is the place.", markup=False)
    changed = [_print_server(console, server) for server in found]
    if any(server.problem for server in found):
        raise typer.Exit(2)
    if any(changed):
        raise typer.Exit(1)


def pin(
    tool: Annotated[str, typer.Argument(help="Tool as declared under tools in registry.yaml.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who has reviewed it.")],
) -> None:
    """Record and declare what the server shows of a tool now: agents that have it get a new version."""
    from rich.console import Console

    from app.terminal import foreign
    from runner.agent import mcp_review

    console = Console(highlight=False)
    with _control("fleetbook mcp pin") as control:
        pinned = mcp_review.pin(control, tool, person)
    console.print(foreign(pinned.shown.description, "bold"), soft_wrap=True)
    console.print(foreign(json.dumps(pinned.shown.input_schema, indent=2, ensure_ascii=False)))
    if pinned.before == pinned.shown.sha256:
        console.print(f"{tool} is declared with this already: {pinned.before}", markup=False)
        return
    console.print(f"{tool} is declared with schema_sha256 {pinned.shown.sha256}.", markup=False)
    if pinned.before is not None:
        console.print(f"Before it was {pinned.before}.", markup=False)


def _print_server(console: Console, server: Server) -> bool:
    """One server; True when something reviewed is not what it was."""
    from rich.text import Text

    from app.terminal import plain

    console.print(Text(server.name, "bold"))
    if server.problem is not None:
        console.print(Text(f"  {plain(server.problem)}", "red"), soft_wrap=True)
        return False
    is_changed = False
    declared_names = set()
    for name, tool in server.declared.items():
        place = (tool.mcp or "").partition("/")[2]
        declared_names.add(place)
        shown = server.shown.get(place)
        state, is_wrong = _state(shown.sha256 if shown else None, tool.schema_sha256)
        is_changed = is_changed or is_wrong
        line = Text(f"  {name}", "red" if is_wrong else "")
        console.print(line.append(f"  {tool.effect}  {state}", "dim"), soft_wrap=True)
    for place in sorted(server.shown.keys() - declared_names):
        console.print(Text(f"  {plain(place, limit=80)}  shown, not declared", "dim"), soft_wrap=True)
    return is_changed


def _state(shown: str | None, reviewed: str | None) -> tuple[str, bool]:
    if shown is None:
        return "the server shows no such tool", True
    if reviewed is None:
        return f"not reviewed, shown as {shown[:12]}", False
    if reviewed != shown:
        return f"reviewed as {reviewed[:12]}, shown as {shown[:12]}: it changed", True
    return f"as reviewed, {shown[:12]}", False


def _control(process_name: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=process_name)
