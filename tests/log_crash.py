"""Writers and recoveries that are killed at random moments: ``python -m tests.log_crash FOLDER SEED ROUNDS``.

Every child is killed by a timer signal without a handler, at a random moment, as ``kill -9`` would. What a
writer was told to be durable goes to a file of acknowledgements before the next append. One process forks
all children, because importing Parquet takes longer than a child lives.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ingest.log.recover import recover
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.workspace import Workspace
from tests.log_events import AT, started

SEAL_BYTES = 1_500  # a seal about every second append, so that many kills hit one
WRITERS = 3
RECOVERIES = 2
# Seconds. Long enough that a seal (some 20 ms) often succeeds, short enough that many are cut off.
WRITER_LIFE = 0.3
RECOVERY_LIFE = 0.6


def write_until_killed(workspace: Workspace, name: str, acknowledgements: Path) -> None:
    """Append events with payloads for ever; after each append note writer, position, chain value, payload."""
    fd = os.open(acknowledgements, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writer = LogWriter(workspace, recorded_via="runner", process_name=name, seal_bytes=SEAL_BYTES)
    for number in range(1_000_000):
        made = make_payload(f"text {number} of {name}", kind="turn", occurred_at=AT, run_id=name)
        events = [started(name, 2 * number, **made.columns), started(name, 2 * number + 1)]
        receipt = writer.append(events, [made.payload])
        line = f"{receipt.writer_id} {receipt.last_seq} {receipt.head} {made.payload.payload_id}\n"
        os.write(fd, line.encode())


def killed_after(seconds: float, work: Callable[[], object]) -> int:
    """Fork a child that does ``work`` and dies after ``seconds`` at the latest; returns its process id."""
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        work()
    finally:
        os._exit(0)


def main(root: Path, seed: int, rounds: int) -> None:
    """Kill ``rounds`` times all writers and all recoveries, each at its own moment."""
    workspace = Workspace.open(root)
    dice = random.Random(seed)
    for number in range(rounds):
        children = [
            killed_after(
                dice.uniform(0.003, WRITER_LIFE),
                lambda name=f"run-{number}-{index}": write_until_killed(
                    workspace, name, root.with_name(f"{name}.acknowledged")
                ),
            )
            for index in range(WRITERS)
        ]
        children += [
            killed_after(dice.uniform(0.003, RECOVERY_LIFE), lambda: recover(workspace))
            for _ in range(RECOVERIES)
        ]
        for child in children:
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
