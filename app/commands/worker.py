"""``fleetbook worker``: takes up queued, decided and left-behind runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plane import Control
    from runner.worker import Worker


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
    from runner.worker import Worker

    console = Console(highlight=False)
    with Control(Workspace.open(home()), process_name="fleetbook worker") as control:
        if once:
            for outcome in asyncio.run(Worker(control).once()):
                _print(console, control, outcome.run_id, outcome.end_state or outcome.status)
        else:
            console.print("Working. Ctrl-C ends it.", markup=False)
            asyncio.run(_until_stopped(console, control, Worker(control)))


async def _until_stopped(console: Console, control: Control, worker: Worker) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    while not stop.is_set():
        for outcome in await worker.next_round(stop):
            _print(console, control, outcome.run_id, outcome.end_state or outcome.status)


def _print(console: Console, control: Control, run_id: str, state: str) -> None:
    run = control.run(run_id)
    console.print(f"{run.agent_id} run {run_id}: {state}", markup=False)
