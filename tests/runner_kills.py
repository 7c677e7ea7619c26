"""Workers killed at random moments while schedules fire and people decide:
``python -m tests.runner_kills FOLDER SEED ROUNDS``.

Two services share one control store, each dies by a timer signal without a handler, as by ``kill -9``. Their
clock runs sixty times as fast, so that a schedule of every minute fires each second.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ingest.workspace import Workspace
from runner.control import approvals
from runner.control.plane import Control
from runner.control.upkeep import upkeep
from runner.errors import DecisionRefused
from runner.service import Endings, Service
from runner.worker import Worker, work_once
from tests.runner_company import HASTY, company

_SPEED = 60
_START = dt.datetime(2026, 11, 4, 9, 0, 30, tzinfo=dt.UTC)
_CHANGES = (
    ("runner.agent.simulated_tools:lookup_order", "tests.runner_tools:lookup_order"),
    ("runner.agent.simulated_tools:refund_payment", "tests.runner_tools:refund_payment"),
    (
        "prices:",
        "schedules:\n"
        '  small: {agent: refund-agent, cron: "* * * * *", task: "Refund W-1, 50 USD", run_as: jon-vass}\n'
        '  large: {agent: refund-agent, cron: "*/2 * * * *", task: "Refund W-2, 240 USD", run_as: jon-vass}\n'
        "prices:",
    ),
)


def fast_clock() -> Callable[[], dt.datetime]:
    """A clock that starts at 09:00:30 and runs sixty times as fast; the same in all children."""
    begun = time.monotonic()
    return lambda: _START + dt.timedelta(seconds=(time.monotonic() - begun) * _SPEED)


def serve(workspace: Workspace, clock: Callable[[], dt.datetime]) -> None:
    """Work until killed."""

    async def work() -> None:
        control = Control(workspace, clock=clock)
        async with Worker(control, pacing=HASTY) as worker:
            await Service(control, worker, report=lambda outcome: None).run(Endings())

    asyncio.run(work())


def decide(control: Control) -> None:
    """Approve what asks before its effect; whatever may have happened already is not repeated."""
    with control.store.read() as connection:
        waiting = approvals.waiting(connection)
    for one in waiting:
        decision = "approved" if one.pause_reason == "approval" else "rejected"
        try:
            control.decide(one.approval_id, "mara-lindt", decision, "looked at it")
        except DecisionRefused:
            continue  # lapsed meanwhile


def main(root: Path, seed: int, rounds: int) -> None:
    """Two services at a time, each killed at its own moment; then one that finishes what is left."""
    workspace, dice, clock = Workspace.open(root), random.Random(seed), fast_clock()
    company(workspace, *_CHANGES, clock=clock).close()
    for _ in range(rounds):
        children = []
        for _ in range(2):
            life = dice.uniform(0.3, 2.0)
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, life)
                serve(workspace, clock)
            children.append(child)
        with Control(workspace, clock=clock) as control:
            decide(control)
        for child in children:
            os.waitpid(child, 0)
    stopped = clock()
    with Control(workspace, clock=lambda: stopped) as control:
        upkeep(control)
        while work_once(control, pacing=HASTY):
            decide(control)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
