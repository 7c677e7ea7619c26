"""A plan on the terminal, and what a person has to do after it was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plan import Plan
    from runner.control.plane import Control

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def print_plan(console: Console, found: Plan) -> None:
    """One line per change, its details below, notes at the end."""
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


def print_waiting_versions(console: Console, control: Control) -> None:
    """Each version that waits for a second person, with the command that approves it."""
    from runner.control.version_approval import approvers, find_version, waiting_versions

    registry, states = control.registry(), control.agent_states()
    with control.store.read() as connection:
        waiting = [
            (agent_id, find_version(connection, agent_id, number))
            for agent_id, number in waiting_versions(connection)
        ]
    for agent_id, version in waiting:
        able = approvers(registry, states[agent_id], version)
        command = f"fleetbook agents approve-version {agent_id} --as {able[0] if able else '<person>'}"
        console.print(
            f"Version {version.agent_version} of {agent_id} waits for a second person: `{command}`",
            markup=False,
            soft_wrap=True,
        )
        if not able:
            console.print(
                "  Nobody may approve it: give approve_version to a role whose holders neither wrote nor "
                "applied it.",
                markup=False,
                soft_wrap=True,
            )
