"""Work on a log, killed before each of its steps: ``python -m tests.log_kills TEMPLATE FOLDER WORK``.

For n = 1, 2, … the workspace TEMPLATE is copied to FOLDER/n and WORK is done in a child that is killed
(SIGKILL) just before its n-th opening, renaming or removal of a file of the workspace. It ends with the first
n that WORK survives, and prints it.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from ingest.erasure import erase
from ingest.log.compact import compact
from ingest.payload_rewrap import rewrap
from ingest.retention import prune
from ingest.workspace import Workspace


def tomorrow() -> dt.datetime:
    """A clock by which the days of a test are over."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


WORKS: dict[str, Callable[[Workspace], object]] = {
    "compact": lambda workspace: compact(workspace, clock=tomorrow),
    "rewrap": rewrap,
    "erase": lambda workspace: erase(workspace, run_id="r1", reason="request", person_id="p"),
    "prune": lambda workspace: prune(
        workspace, older_than_days=184, reason="its time is over", person_id="p"
    ),
}
_STEPS = ("open", "os.rename", "os.remove", "os.mkdir")


def kill_before(step: int, root: Path) -> None:
    """Kill this process before its ``step``-th file operation below ``root``."""
    left = step

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _STEPS and str(arguments[0]).startswith(str(root)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def killed(template: Path, folder: Path, work: str) -> list[Workspace]:
    """The workspaces in which ``work`` was killed, one for each of its steps, and one where it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.log_kills", str(template), str(folder), work],
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Workspace.open(folder / str(step)) for step in range(1, int(done.stdout) + 1)]


def main(template: Path, folder: Path, work: str) -> None:
    """Do ``work`` once for each of its steps, and once to its end."""
    step, is_killed = 0, True
    while is_killed:
        step += 1
        shutil.copytree(template, folder / str(step))
        workspace = Workspace.open(folder / str(step))
        child = os.fork()
        if not child:
            _work_and_end(workspace, step, work)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code not in (0, -signal.SIGKILL):
            sys.exit(f"{work} ended with {code}")
        is_killed = code != 0
    print(step)


def _work_and_end(workspace: Workspace, step: int, work: str) -> None:
    try:
        kill_before(step, workspace.root)
        WORKS[work](workspace)
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
