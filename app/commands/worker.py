"""``fleetbook worker``: plays queued, scheduled, decided and left-behind runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runner.agent.loop import Outcome
    from runner.control.plane import Control
    from runner.control.schedules import Slot


_log = logging.getLogger("fleetbook.worker")


def register(app: typer.Typer) -> None:
    """Add the worker to the command line."""
    app.command("worker")(worker)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Take up what is there now, then end.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="Work until nothing can go on, then end.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show who works here, and start nothing.")] = False,
    grace: Annotated[float, typer.Option(help="Seconds that runs get to end or park when told to end.")] = 30,
) -> None:
    """Play queued runs, fire schedules, resume decided runs, recover what dead processes left behind.

    Several may share one control store. Ctrl-C or SIGTERM ends it after the runs in hand have ended or
    parked, at the latest after the grace; the second one ends it now. Runs it gives up are taken over.
    """
    from app.service_log import set_up
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.worker import work_once

    set_up()
    with Control(Workspace.open(home()), process_name="fleetbook worker") as control:
        if status:
            _show(control)
        elif once:
            for outcome in work_once(control):
                _tell(control, outcome)
        else:
            _serve(control, is_drain=drain, grace_s=grace)


def _serve(control: Control, *, is_drain: bool, grace_s: float) -> None:
    import asyncio
    import os
    import sys

    if not is_drain:
        _log.info("Working. Ctrl-C ends it.")
    with asyncio.Runner() as loop:
        given_back = loop.run(_until_ended(control, is_drain=is_drain, grace_s=grace_s))
        if given_back:
            _log.warning("Runs given back, for other workers to take up: %d.", given_back)
            control.close()
            sys.stdout.flush()
            os._exit(0)  # the loop would wait for the threads of tools that do not come back


async def _until_ended(control: Control, *, is_drain: bool, grace_s: float) -> int:
    import asyncio
    import signal

    from runner.service import Endings, Service
    from runner.worker import Worker

    endings, loop = Endings(), asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, endings.signal)
    async with Worker(control) as playing:
        service = Service(
            control,
            playing,
            report=lambda outcome: _tell(control, outcome),
            fired=_tell_slots,
            grace_s=grace_s,
        )
        await service.run(endings, is_drain=is_drain)
    return service.given_back


def _tell(control: Control, outcome: Outcome) -> None:
    from app.terminal import plain

    run = control.run(outcome.run_id)
    line = f"{run.agent_id} run {outcome.run_id}: {outcome.end_state or outcome.status}"
    ids = {"run_id": run.run_id, "agent_id": run.agent_id, "status": outcome.end_state or outcome.status}
    if outcome.status == "left":
        _log.warning("%s", plain(f"{line}. {outcome.reason}"), extra=ids)
    else:
        _log.info("%s", plain(line), extra=ids)


def _tell_slots(slots: list[Slot]) -> None:
    """A line per slot that fired or was refused; the missed ones of a schedule in one line."""
    from collections import Counter

    from app.terminal import plain

    missed = Counter(slot.schedule_id for slot in slots if slot.status == "missed")
    for schedule_id, count in missed.items():
        line = f"schedule {schedule_id}: {count} missed, see `fleetbook schedules expected`"
        _log.warning("%s", plain(line), extra={"schedule_id": schedule_id, "status": "missed"})
    for slot in slots:
        if slot.status == "missed":
            continue
        why = f": {slot.reason}" if slot.reason else ""
        late = " late" if slot.is_late and slot.status == "fired" else ""
        line = f"schedule {slot.schedule_id} {slot.slot_at:%Y-%m-%d %H:%M} UTC: {slot.status}{late}{why}"
        ids = {"schedule_id": slot.schedule_id, "run_id": slot.run_id, "status": slot.status}
        _log.log(logging.WARNING if slot.status == "refused" else logging.INFO, "%s", plain(line), extra=ids)


def _show(control: Control) -> None:
    from rich.console import Console

    from app.terminal import foreign
    from runner.control.workers import seen

    def runs(count: int) -> str:
        return "1 run" if count == 1 else f"{count} runs"

    console, found = Console(highlight=False), seen(control)
    if not found:
        console.print("No worker is at work. `fleetbook worker` starts one.", markup=False)
    for one in found:
        state = "gone, its runs are taken over" if one.is_gone else one.status
        facts = f"{runs(one.playing_count)} in hand, {runs(one.played_count)} let go of"
        since = f"since {one.started_at:%Y-%m-%d %H:%M} UTC, last seen {one.seen_at:%H:%M:%S}"
        console.print(foreign(f"{one.owner}  {state} · {facts} · {since}"), soft_wrap=True)
