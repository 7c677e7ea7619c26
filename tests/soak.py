"""Soak: `fleetbook up` at work for minutes while one of its processes is killed every minute.

    python -m tests.soak [--minutes=30] [--kill-seconds=60] [--pause=0.5] [--folder=PATH]

Agents run by request and by schedule, people decide, an agent elsewhere sends spans, pages are open and a
build comes every minute. In the end nothing acknowledged may be lost or doubled, nothing stuck, nothing held,
nothing grown, and no page may have failed. Prints what was done and every problem; exit code 1 for one.
`./fleetbook soak` is this command. Linux only: processes are read from /proc.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ingest.log.writer import LogWriter, utc_now
from ingest.receivers.tokens import create_token
from ingest.workspace import Workspace
from runner.control.plane import Control
from tests.conftest import ROOT
from tests.runner_company import company
from tests.soak_traffic import Done, ask, decide, look, send
from tests.soak_truth import is_at_rest, problems
from tests.soak_up import ROLES, Up
from tests.soak_watch import Reading, growths, too_many_files, watch

# A run left behind by a killed worker is taken over within seconds; two busy cores get minutes.
REST_SECONDS = 240.0
# A build begins each minute, and on two busy cores needs a part of the next one to get to work.
BUILD_SECONDS = 300.0
# A connection breaks with the kill, and is refused until the part is back.
EXCUSED_AFTER_SECONDS = 15.0
CHANGES = (
    (
        "prices:",
        "schedules:\n"
        '  small: {agent: refund-agent, cron: "* * * * *", task: "Refund W-1, 50 USD", run_as: jon-vass}\n'
        '  large: {agent: refund-agent, cron: "* * * * *", task: "Refund W-2, 240 USD", run_as: jon-vass}\n'
        '  sort: {agent: triage-agent, cron: "*/2 * * * *", task: "Sort the tickets", run_as: mara-lindt}\n'
        "prices:",
    ),
    ('cap_usd: "50.00"', 'cap_usd: "50000.00"'),
    ('cap_usd: "20.00"', 'cap_usd: "20000.00"'),
)


@dataclass(kw_only=True)
class Report:
    """What a soak saw. ``problems`` must be empty; ``lines`` say what was done."""

    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def prepare(root: Path) -> tuple[Workspace, str]:
    """A workspace with the small company, its schedules and wide wallets; and a sender's token."""
    workspace = Workspace.create(root)
    company(workspace, *CHANGES).close()
    with LogWriter(workspace, recorded_via="app", process_name="soak") as writer:
        made = create_token(
            workspace,
            writer,
            team_id="support",
            label="soak",
            content_capture="on",
            person_id=None,
            now=utc_now(),
        )
    return workspace, made.text


def soak(folder: Path, *, seconds: float, kill_seconds: float, pause_s: float = 0.5) -> Report:
    """Run everything for ``seconds`` in ``folder``, kill one role each ``kill_seconds``, then look."""
    workspace, token = prepare(folder / "workspace")
    done, readings, report = Done(), list[Reading](), Report()
    up = Up.start(workspace, folder / "up.txt")
    stop, stop_deciding = threading.Event(), threading.Event()
    try:
        up.wait_until_up()
        with ThreadPoolExecutor(5) as pool, ExitStack() as ending:
            ending.callback(stop_deciding.set)
            ending.callback(stop.set)
            duties = [
                pool.submit(ask, workspace, done, stop, pause_s),
                pool.submit(send, up.ports, token, done, stop, pause_s),
                pool.submit(look, up.ports, done, stop, 2 * pause_s),
                pool.submit(watch, up, readings, stop),
            ]
            deciding = pool.submit(decide, workspace, done, stop_deciding, pause_s)
            _kill_in_turn(up, seconds, kill_seconds, [*duties, deciding])
            stop.set()
            for duty in duties:
                duty.result()
            _rest(workspace)
            stop_deciding.set()
            deciding.result()
    finally:
        left = up.stop()
    report.problems += [f"left running: {one}" for one in left]
    _conclude(report, workspace, up, done, readings, folder)
    return report


def _kill_in_turn(up: Up, seconds: float, kill_seconds: float, duties: list[Future[None]]) -> None:
    """Kill one component after the other until the time is over and each was killed once.

    Raises what ended a duty early.
    """
    until = time.monotonic() + seconds
    for number, role in enumerate(itertools.cycle(ROLES)):
        due = time.monotonic() + kill_seconds
        while time.monotonic() < due:
            for duty in duties:
                if duty.done():
                    duty.result()
            if time.monotonic() > until and number >= len(ROLES):
                return
            time.sleep(0.5)
        # A build works for some seconds of each minute: it is waited for.
        patience = time.monotonic() + BUILD_SECONDS
        while up.kill(role) is None and time.monotonic() < patience:
            time.sleep(0.1)


def _rest(workspace: Workspace) -> None:
    """Wait until everything that was asked for is over; what is not will be named."""
    until = time.monotonic() + REST_SECONDS
    with Control(workspace, process_name="soak") as control:
        while not is_at_rest(control) and time.monotonic() < until:
            time.sleep(0.5)


def _conclude(
    report: Report, workspace: Workspace, up: Up, done: Done, readings: list[Reading], folder: Path
) -> None:
    """A last build, and everything that is looked at."""
    build = [sys.executable, "-m", "app.cli", "--workspace", str(workspace.root), "build"]
    subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    said = up.said.read_text(encoding="utf-8", errors="replace")
    unexcused = [one for one in done.silences if not _is_excused(one.of, one.at, up)]
    report.problems += problems(workspace, done, folder)
    report.problems += too_many_files(workspace, len(up.kills))
    report.problems += [f"page failed: {one}" for one in done.page_failures]
    report.problems += [f"{one.of} did not answer: {one.what}" for one in unexcused]
    report.problems += [f"said: {line}" for line in said.splitlines() if _is_trouble(line)]
    grown = growths(readings)
    report.problems += [f"grew: {one}" for one in grown if not one.is_flat]
    report.problems += [f"nobody killed: {role}" for role in ROLES if role not in {k.role for k in up.kills}]
    back = max((kill.back_s for kill in up.kills), default=0.0)
    report.lines += [
        f"{len(done.requested)} runs requested, {len(done.decided)} requests decided, "
        f"{len(done.sent)} runs sent as spans, {done.pages_seen} pages seen",
        f"{len(up.kills)} kills, the slowest part was back after {back:.0f} s; "
        f"{len(done.silences)} refused or broken connections meanwhile",
        *(str(one) for one in grown),
    ]


def _is_excused(of: str, at: float, up: Up) -> bool:
    """Whether the server was killed shortly before, or is still coming back."""
    roles = {"pages": ("pages", "pages' starter"), "receiver": ("receiver",)}[of]
    return any(
        kill.killed_at - 1 <= at <= kill.killed_at + kill.back_s + EXCUSED_AFTER_SECONDS
        for kill in up.kills
        if kill.role in roles
    )


def _is_trouble(line: str) -> bool:
    return line.startswith(("Traceback", "Page failed", "Not up", "Events not relayed", "Exception"))


def main(words: list[str]) -> int:
    """Soak, print, and end with 1 when there was a problem."""
    parser = argparse.ArgumentParser(prog="./fleetbook soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long everything works")
    parser.add_argument("--kill-seconds", type=float, default=60.0, help="time between two kills")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two requests of one kind")
    parser.add_argument("--folder", type=Path, help="where the workspace stays, to be looked at")
    asked = parser.parse_args(words)
    with ExitStack() as ending:
        folder = asked.folder or Path(
            ending.enter_context(tempfile.TemporaryDirectory(prefix="fleetbook-soak-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        report = soak(
            folder, seconds=60 * asked.minutes, kill_seconds=asked.kill_seconds, pause_s=asked.pause
        )
    print("\n".join(report.lines))
    for problem in report.problems:
        print(f"PROBLEM {problem}")
    print("Soaked: nothing lost, stuck, held or grown." if not report.problems else "Soaked, with problems.")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
