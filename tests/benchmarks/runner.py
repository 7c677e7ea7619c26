"""Runs a second and CPU per run of three turns and four tool calls, every event durable, beside a bare agent.

The runs are of the triage agent on the simulated model, with the control store on SQLite and the log on the
same disk. The bare agent is pydantic-ai alone with the same model and the same tools, and nothing kept.

    ./fleetbook bench runner [--runs=200] [--profile]

``--profile`` also prints where the time of 100 concurrent runs goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from pydantic_ai import Agent, Tool
from rich.console import Console
from rich.table import Table

from ingest.workspace import Workspace
from runner.agent.simulated import simulated_model
from runner.agent.simulated_tools import classify_ticket, search_tickets
from runner.control.plane import Control
from runner.worker import Worker
from tests.benchmarks._figures import note, peer
from tests.runner_company import company

TASK = "Sort the open tickets about late deliveries."
ROUNDS = 3  # interleaved; the median is shown
# Kept over a restart by the file system standard, so never in memory: fsync in memory costs nothing.
DISK = Path("/var/tmp")


class Speed(NamedTuple):
    """Milliseconds of CPU per run (all threads), and runs a second of wall time."""

    cpu_ms: float
    runs_per_s: float


async def measured(runs: int, concurrent: int, play: Callable[[], Awaitable[object]]) -> Speed:
    """``play`` called ``runs`` times, at most ``concurrent`` at once."""
    gate = asyncio.Semaphore(concurrent)

    async def one() -> None:
        async with gate:
            await play()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(runs)))
    return Speed((time.process_time() - cpu) / runs * 1e3, runs / (time.perf_counter() - wall))


async def bare(runs: int, concurrent: int) -> Speed:
    """pydantic-ai alone: the same model, tools and instructions."""
    agent = Agent(
        simulated_model("triage"),
        instructions="You sort tickets.",
        tools=[Tool(search_tickets), Tool(classify_ticket)],
    )

    async def play() -> None:
        await agent.run(TASK)

    await play()
    return await measured(runs, concurrent, play)


async def governed(control: Control, runs: int, concurrent: int) -> Speed:
    """Runs as a worker plays them: requested, held, journalled, settled, told and relayed."""
    async with Worker(control) as worker:

        async def play() -> None:
            outcome = await worker.play(control.request_run("triage-agent", TASK, "jon-vass"))
            if outcome is None or outcome.end_state != "completed":
                sys.exit(f"A run of the benchmark did not complete: {outcome}")

        await play()
        return await measured(runs, concurrent, play)


def median(speeds: list[Speed]) -> Speed:
    """Of each figure the median."""
    return Speed(*(statistics.median(figures) for figures in zip(*speeds, strict=True)))


def main(words: list[str]) -> None:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(prog="fleetbook bench runner")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args(words)
    os.environ.setdefault("PYDANTIC_AI_NO_BANNER", "1")
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        control = company(
            Workspace.create(Path(folder) / "workspace"),
            ('window: month, cap_usd: "50.00"', 'window: month, cap_usd: "5000.00"'),
        )
        show(control, chosen.runs)
        if chosen.profile:
            profile = cProfile.Profile()
            profile.runcall(asyncio.run, governed(control, chosen.runs, 100))
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        control.close()


def show(control: Control, runs: int) -> None:
    """One table: each load bare and governed, and the ratio of CPU."""
    table = Table("", "concurrent", "CPU ms per run", "runs/s", "CPU against bare", box=None)
    for concurrent in (1, 100):
        plain, ours = [], []
        for _ in range(ROUNDS):
            plain.append(asyncio.run(bare(runs, concurrent)))
            ours.append(asyncio.run(governed(control, runs, concurrent)))
        least, most = median(plain), median(ours)
        table.add_row(
            "pydantic-ai alone", str(concurrent), f"{least.cpu_ms:.1f}", f"{least.runs_per_s:.0f}", "1"
        )
        beside = peer("pydantic-ai alone", least.cpu_ms)
        key = "run_cpu_ms" if concurrent > 1 else ""
        name = f"CPU per run, {concurrent} at once"
        note("runner", name, most.cpu_ms, "ms", key=key, beside=beside)
        rate = peer("pydantic-ai alone", least.runs_per_s)
        note("runner", f"runs/s, {concurrent} at once", most.runs_per_s, "1/s", beside=rate)
        ratio = f"{most.cpu_ms / least.cpu_ms:.1f}"
        table.add_row("fleetbook", str(concurrent), f"{most.cpu_ms:.1f}", f"{most.runs_per_s:.0f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
