"""A relayer that is killed at random moments: ``python -m tests.runner_crash FOLDER SEED ROUNDS``.

Each child writes one row of state and one event per transaction and relays after each; it dies by a timer
signal without a handler, as by ``kill -9``.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.tables import approval_views


def work(workspace: Workspace, name: str) -> None:
    """Write and relay for ever."""
    control = Control(workspace, process_name=name)
    for number in range(1_000_000):
        with control.store.write() as tx:
            row = {"approval_id": name, "person_id": f"{name}-{number}", "shown_at": tx.now}
            tx.sql.execute(sa.insert(approval_views), row)
            tx.emit("signed_in", person_id=f"{name}-{number}")
        control.relay.flush()


def main(root: Path, seed: int, rounds: int) -> None:
    """Two children at a time, each killed at its own moment."""
    workspace, dice = Workspace.open(root), random.Random(seed)
    for number in range(rounds):
        children = []
        for side in "ab":
            life = dice.uniform(0.2, 0.8)
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, life)
                work(workspace, f"{side}{number}")
            children.append(child)
        for child in children:
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
