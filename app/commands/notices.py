"""``fleetbook notices``: what people were told, and sending what is due."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the notices to the command line."""
    group = typer.Typer(
        no_args_is_help=True, help="Notices: budgets, approvals, schedules, stops; sending them."
    )
    group.command("send")(send)
    app.add_typer(group, name="notices")


def send() -> None:
    """Send every notice that is due, to notices.jsonl and to the notifications of registry.yaml.

    A worker does this by itself. Ends with 1 when a place did not take one; it is tried again later.
    """
    from rich.console import Console

    from app.terminal import plain
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.control.sending import send_due

    console = Console(highlight=False)
    with Control(Workspace.open(home()), process_name="fleetbook notices send") as control:
        tried = send_due(control)
    failed = [one for one in tried if one.problem is not None]
    for one in failed:
        again = f"tried again {one.again_at:%Y-%m-%d %H:%M} UTC" if one.again_at else "given up"
        line = f"{one.send.notification_id}: {one.problem}; {again}: {plain(one.send.title)}"
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{len(tried) - len(failed)} sent, {len(failed)} not taken.", markup=False)
    if failed:
        raise typer.Exit(1)
