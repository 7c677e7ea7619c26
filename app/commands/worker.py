"""``fleetbook worker``: takes up queued, decided and left-behind runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.agent.loop import Outcome
    from runner.control.plane import Control


def register(app: typer.Typer) -> None:
    """Add the worker to the command line."""
    app.command("worker")(worker)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Take up what is there now, then end.")] = False,
) -> None:
    """Play queued runs, resume decided ones, recover what dead processes left; several may work side by side.

    Ctrl-C or SIGTERM ends it after the runs in hand have ended or parked.
    """
    import asyncio

    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.worker import work_once

    console = Console(highlight=False)
    with Control(Workspace.open(home()), process_name="fleetbook worker") as control:
        if once:
            for outcome in work_once(control):
                _print(console, control, outcome)
        else:
            console.print("Working. Ctrl-C ends it.", markup=False)
            asyncio.run(_until_stopped(console, control))


async def _until_stopped(console: Console, control: Control) -> None:
    import asyncio
    import signal

    from runner.worker import Worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with Worker(control) as worker:
        await worker.forever(stop, lambda outcome: _print(console, control, outcome))


def _print(console: Console, control: Control, outcome: Outcome) -> None:
    from app.terminal import foreign

    run = control.run(outcome.run_id)
    line = f"{run.agent_id} run {outcome.run_id}: {outcome.end_state or outcome.status}"
    console.print(foreign(f"{line}. {outcome.reason}" if outcome.status == "left" else line), soft_wrap=True)
