"""The whole monthly check over a log of any size: verification, tables, decisions, pack; wall, CPU, memory.

    ./fleetbook bench check [--events=1000000] [--keep=<folder>]

The log is written by the log writer, with bodies, hashes and a signed checkpoint: runs of two agents, one of
high risk whose every call asks a person. With --keep it stays and is used again. The aim is 10,000,000 events
in 2 minutes and 4 GB on 2 cores that do nothing else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.table import Table

from app.checks import follow
from app.checks.integrity import inspect_log
from app.checks.late import late_events
from app.checks.monthly import check_month, month_end
from ingest.contract import Value, new_event_id
from ingest.log.checkpoint import notarise
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from runner.control.plane import Control
from tests import check_world as world
from tests.benchmarks._figures import note

BATCHES = 30 * 24  # what is told later than an hour is backdated
Made = TypeVar("Made")
Event = dict[str, Value]


class Told(NamedTuple):
    """One event and when it happened."""

    at: dt.datetime
    event: Event


class Watch:
    """A table of steps with what each took; memory is of the largest process so far."""

    def __init__(self) -> None:
        self.table = Table("step", "wall s", "CPU s", "peak MB so far")
        self.cpu_s: dict[str, float] = {}

    def time(self, name: str, do: Callable[[], Made]) -> Made:
        """Do it and note what it took."""
        began, cpu = time.perf_counter(), _cpu()
        done = do()
        wall_s, cpu_s = time.perf_counter() - began, _cpu() - cpu
        self.table.add_row(name, f"{wall_s:.1f}", f"{cpu_s:.1f}", f"{_peak_mb():,}")
        self.cpu_s[name] = cpu_s
        return done


def main(words: list[str]) -> None:
    """Run the benchmark; see the module's docstring for the options."""
    parser = argparse.ArgumentParser(prog="bench check")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="fleetbook-bench-") as folder:
        _measure(options.keep or Path(folder) / "workspace", options.events)


def _measure(root: Path, events: int) -> None:
    console, watch = Console(), Watch()
    if (root / "lake").is_dir():
        workspace = Workspace.open(root)
    else:
        workspace = Workspace.create(root)
        workspace.registry_file.write_text(world.REGISTRY, encoding="utf-8")
        watch.time("writing the log (not part of the check)", lambda: _write(workspace, events))
    end = month_end(workspace, world.MONTH)
    watch.time("of it: verification", lambda: inspect_log(workspace, end))
    watch.time("of it: looking for late events", lambda: late_events(workspace, end, end))
    monthly = watch.time("the check", lambda: check_month(workspace, world.MONTH, demo=False))
    with Control(workspace, process_name="bench") as control:
        watch.time("keeping the answer", lambda: follow.keep(control, monthly.answer, monthly.scoped))
        watch.time("the evidence pack", lambda: follow.make_pack(control, world.MONTH))
    console.print(watch.table)
    note("check", f"the monthly check of {events:,} events", watch.cpu_s["the check"], "CPU s")
    each = watch.cpu_s["the check"] / events * 1e6
    note("check", "CPU of the check per event", each, "µs", key="check_cpu_us")
    note("check", "memory of the largest process", _peak_mb(), "MB")
    failed = [one.check_id for one in monthly.answer.results if one.status in ("FAIL", "ERROR")]
    console.print(f"{events:,} events asked for; failed: {', '.join(failed) or 'none'}")


def _write(workspace: Workspace, events: int) -> None:
    """The small clean company, and copies of one of its runs spread evenly over October."""
    story = world.company()
    story.tell(
        "budget_set", world.at("02-01 08:01"), wallet_id="team:support:month", wallet_kind="team",
        wallet_window="month", team_id="support", cap_nano_usd=10**15, is_unlimited=False,
    )  # fmt: skip
    story.write(workspace)
    run = _template()
    count = max(1, events // len(run))
    step = dt.timedelta(days=30) / count
    runs_a_batch = max(1, count // BATCHES)
    clock = [world.at("10-01 00:10")]
    with LogWriter(
        workspace, recorded_via="runner", process_name="bench", clock=lambda: clock[0], ticks=time.monotonic
    ) as writer:
        batch: list[Told] = []
        for number in range(count):
            moved = list(_copied(run, number, world.at("10-01 00:10") + number * step))
            batch += moved
            clock[0] = max(clock[0], moved[-1].at)
            if number % runs_a_batch == 0:
                writer.append([one.event for one in batch])
                batch = []
        writer.append([one.event for one in batch])
    notarise(workspace, clock=lambda: clock[0])


def _template() -> list[tuple[dt.timedelta, Event]]:
    """One run of the paying agent: a turn, a call that a person approves, and its end."""
    story = world.Story()
    run = story.run("template", "payer", "10-01 00:00", has_text=False, content_capture="off")
    run.turn(1)
    run.finish("succeeded", run.ask())
    run.end()
    begun = story.first
    return [(moment - begun, event) for moment, event in story.events]


def _copied(run: list[tuple[dt.timedelta, Event]], number: int, begun: dt.datetime) -> Iterator[Told]:
    for after, event in run:
        at = begun + after
        new: Event = {"event_id": new_event_id(at), "occurred_at": at, "run_id": f"run-{number}"}
        if "approval_id" in event:
            new["approval_id"] = f"ap-{number}"
        if "expires_at" in event:
            new["expires_at"] = at + dt.timedelta(days=1)
        yield Told(at, {**event, **new})


def _cpu() -> float:
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _peak_mb() -> int:
    largest = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return largest // 1024
