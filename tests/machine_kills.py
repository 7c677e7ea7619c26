"""Two machines run agents against one PostgreSQL and ship to one place, killed and cut off at random:
``python -m tests.machine_kills FOLDER SEED ROUNDS``.

FOLDER has the workspaces ``a`` and ``b``, which joined the place; FLEETBOOK_CONTROL_URL names the database.
In each round every machine has a worker and a shipper, each dies by a timer signal without a handler, as by
``kill -9``; in every second round the database cannot be reached for a while.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ingest.errors import IngestError
from ingest.log.writer import utc_now
from ingest.shared.shipping import Shipper
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.upkeep import upkeep
from runner.service import Endings, Service
from runner.worker import Worker, work_once
from tests.object_server import Proxy
from tests.runner_company import HASTY, company
from tests.runner_kills import decide

RUNS = 16
_TOOLS = (
    ("runner.agent.simulated_tools:lookup_order", "tests.runner_tools:lookup_order"),
    ("runner.agent.simulated_tools:refund_payment", "tests.runner_tools:refund_payment"),
)


def work(workspace: Workspace) -> None:
    """Play runs until killed, or until the database is away."""

    async def serve() -> None:
        control = Control(workspace)
        async with Worker(control, pacing=HASTY) as worker:
            await Service(control, worker, report=lambda outcome: None).run(Endings())

    asyncio.run(serve())


def ship(workspace: Workspace) -> None:
    """Ship until killed."""
    shipper = Shipper(workspace)
    while True:
        try:
            shipper.ship()
        except IngestError:
            continue
        time.sleep(0.05)


def _child(life: float, url: str, what: Callable[[Workspace], None], workspace: Workspace) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.environ["FLEETBOOK_CONTROL_URL"] = url
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, life)
        what(workspace)
    finally:
        os._exit(1)


def _round(machines: list[Workspace], dice: random.Random, proxy: Proxy, url: str, *, is_cut: bool) -> None:
    children = [
        _child(dice.uniform(0.5, 3.0), url, what, workspace)
        for workspace in machines
        for what in (work, ship)
    ]
    if is_cut:
        time.sleep(dice.uniform(0.3, 1.5))
        proxy.cut()
    for child in children:
        os.waitpid(child, 0)
    proxy.mend()


def main(root: Path, seed: int, rounds: int) -> None:
    """Let both machines die again and again; then one finishes what is left, after every lease is over."""
    machines, dice = [Workspace.open(root / name) for name in "ab"], random.Random(seed)
    url = urlsplit(os.environ["FLEETBOOK_CONTROL_URL"])
    proxy = Proxy(f"{parse_qs(url.query)['host'][0]}/.s.PGSQL.5432")
    through = f"postgresql://{url.username}@127.0.0.1:{proxy.port}{url.path}?sslmode=disable"
    with company(machines[0], *_TOOLS) as control:
        shutil.copy(machines[0].registry_file, machines[1].registry_file)
        for number in range(RUNS):
            amount = 240 if number % 3 == 0 else 50
            control.request_run("refund-agent", f"Refund W-{number}, {amount} USD", "jon-vass")
    for number in range(rounds):
        _round(machines, dice, proxy, through, is_cut=number % 2 == 1)
        with Control(machines[number % 2]) as control:
            decide(control)
    later = utc_now() + dt.timedelta(hours=1)
    with Control(machines[1], clock=lambda: later) as control:
        upkeep(control)
        while work_once(control, pacing=HASTY):
            decide(control)
    proxy.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
