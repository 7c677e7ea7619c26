"""Builds of the warehouse at any size: full, one more day, nothing new; memory, the reference question.

    ./fleetbook bench warehouse [--events=1000000] [--day=100000] [--memory=2GB,4GB] [--keep=<folder>]

The log is generated in the contract's schema, one sealed segment per day. Seconds are wall and CPU of the
builder with its processes; "steps" is the time of models and tests alone. The reference question (runs, cost,
p95 latency and success per agent and day over 30 days) is asked of the marts and, beside it, of the bare
Parquet files by plain DuckDB in the same run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
from rich.console import Console
from rich.table import Table

from app.build import PROJECT, Generation, build
from app.standing import up_to_date
from ingest.log.writer import utc_now
from ingest.workspace import Workspace
from tests.benchmarks._figures import note, peer
from tests.benchmarks._fleet_log import declare, lake_bytes, write_days

ASKED = 5
SHOWN_STEPS = 12
_FROM_DAYS = """
    select agent_id, run_date, runs, cost_usd, end_to_end_p95_ms, successes
    from rpt_agent_days
    where run_date > (select max(run_date) from rpt_agent_days) - 30
"""
_FROM_RUNS = """
    select agent_id, run_date, count(*), sum(cost_usd), quantile_cont(end_to_end_ms, 0.95),
        count(case when is_success then 1 end)
    from fct_runs
    where is_terminal and run_date > (select max(run_date) from fct_runs) - 30
    group by agent_id, run_date
"""
_FROM_LOG = """
    with runs as (
        select agent_id, run_id,
            min(case when event_type = 'run_requested' then occurred_at end) as begun,
            max(case when event_type = 'run_ended' then occurred_at end) as ended,
            max(end_state) as end_state,
            sum(list_cost_nano_usd) as cost
        from read_parquet('{files}')
        where occurred_at > timestamptz '{since}'
        group by agent_id, run_id
    )
    select agent_id, cast(ended as date), count(*), sum(cost),
        quantile_cont(epoch_us(ended) - epoch_us(begun), 0.95),
        count(case when end_state = 'completed' then 1 end)
    from runs
    where ended is not null
    group by agent_id, cast(ended as date)
"""


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """The variable of the environment while the ``with`` block lasts."""
    before = os.environ.get(name)
    os.environ[name] = value
    yield
    os.environ.pop(name)
    if before is not None:
        os.environ[name] = before


class Spent(NamedTuple):
    """What a build took: wall and CPU seconds, of which models and tests, and the largest process so far."""

    made: Generation
    wall_s: float
    cpu_s: float
    steps_s: float
    peak_mb: int


def main(words: list[str]) -> None:
    """Run the benchmark; see the module's docstring for the options."""
    parser = argparse.ArgumentParser(prog="bench warehouse")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--day", type=int, default=100_000)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="fleetbook-bench-") as folder:
        _measure(options.keep or Path(folder) / "workspace", options.events, options.day, options.memory)


def _measure(root: Path, events: int, per_day: int, memory: str) -> None:
    console = Console()
    workspace = Workspace.create(root)
    days = max(1, round(events / per_day))
    declare(workspace)
    build(workspace)  # compiles the project
    started = time.process_time()
    held = write_days(workspace, 0, days, per_day)
    console.print(
        f"{held:,} events in {days} days, {lake_bytes(workspace) / held:.0f} bytes an event in the log "
        f"(without bodies and hashes), generated in {time.process_time() - started:.0f} s of CPU"
    )
    table = Table("build", "wall s", "CPU s", "steps s", "events/s", "peak MB so far")
    for limit in memory.split(","):
        with environment("FLEETBOOK_MEMORY_LIMIT", limit):
            full = _build(workspace, is_full=True)
        _row(table, f"full, {limit}", full, held)
    first = full
    came = write_days(workspace, days, 1, per_day)
    more = _build(workspace, is_full=False)
    _row(table, f"one more day of {came:,}", more, came)
    again = time.perf_counter()
    assert up_to_date(workspace, PROJECT, utc_now()) is not None
    _note(full, more, held, came)
    table.add_row("nothing new", f"{time.perf_counter() - again:.2f}", "", "", "", "")
    console.print(table)
    size = sum(path.stat().st_size for path in more.made.path.rglob("*") if path.is_file())
    console.print(f"{size / (held + came):.0f} bytes an event in the generation")
    note("warehouse", "bytes of a generation per event", size / (held + came), "bytes", key="mart_bytes")
    _slowest(console, "full build", first)
    _slowest(console, "build after one more day", more)
    _reference(console, workspace, more.made)


def _note(full: Spent, more: Spent, held: int, came: int) -> None:
    cpu_us = full.cpu_s / held * 1e6
    note("warehouse", f"full build of {held:,} events", full.cpu_s, "CPU s")
    note("warehouse", "events of the full build", held, "events", key="build_full_events")
    note("warehouse", "events of one more day", came, "events", key="build_more_events")
    note("warehouse", "CPU of a full build per event", cpu_us, "µs", key="build_full_cpu_us")
    beside = peer("a full build", full.cpu_s)
    day = f"build of one more day of {came:,}"
    note("warehouse", day, more.cpu_s, "CPU s", key="build_more_cpu_s", beside=beside)
    steps_us = full.steps_s / held * 1e6
    note("warehouse", "models and tests alone per event", steps_us, "µs", key="build_steps_us")
    note("warehouse", "memory of the largest process", full.peak_mb, "MB")


def _build(workspace: Workspace, *, is_full: bool) -> Spent:
    before, started = _cpu_s(), time.perf_counter()
    made = build(workspace, is_full=is_full)
    wall = time.perf_counter() - started
    assert made.is_full == is_full
    results = json.loads((made.path / "run_results.json").read_text(encoding="utf-8"))["results"]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return Spent(made, wall, _cpu_s() - before, sum(one["execution_time"] for one in results), peak)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _row(table: Table, name: str, spent: Spent, events: int) -> None:
    table.add_row(
        name,
        f"{spent.wall_s:.1f}",
        f"{spent.cpu_s:.1f}",
        f"{spent.steps_s:.1f}",
        f"{events / spent.wall_s:,.0f}",
        f"{spent.peak_mb:,}",
    )


def _slowest(console: Console, build_name: str, spent: Spent) -> None:
    results = json.loads((spent.made.path / "run_results.json").read_text(encoding="utf-8"))["results"]
    table = Table(f"costliest steps of the {build_name}", "CPU s", "wall s", "rows", "peak MB so far")
    for one in sorted(results, key=lambda one: -one["cpu_time"])[:SHOWN_STEPS]:
        table.add_row(
            one["unique_id"].split(".")[2],
            f"{one['cpu_time']:.2f}",
            f"{one['execution_time']:.2f}",
            f"{one['row_count']:,}" if one["row_count"] else "",
            f"{one['peak_mb']:,}",
        )
    console.print(table)


def _reference(console: Console, workspace: Workspace, made: Generation) -> None:
    assert made.data_until is not None
    since = (made.data_until - dt.timedelta(days=30)).isoformat()
    files = f"{workspace.lake_dir}/*/*.parquet".replace("'", "''")
    log = _FROM_LOG.format(files=files, since=since)
    with duckdb.connect(str(made.path / "warehouse.duckdb"), read_only=True) as connection:
        days_s = _median_s(lambda: connection.execute(_FROM_DAYS).fetchall())
        runs_s = _median_s(lambda: connection.execute(_FROM_RUNS).fetchall())
        log_s = _median_s(lambda: connection.execute(log).fetchall())
    from_log = peer("DuckDB on the log's files", 1000 * log_s)
    note("warehouse", "reference question from the tables", 1000 * days_s, "ms", beside=from_log)
    console.print(
        f"Reference question: {1000 * days_s:.1f} ms from rpt_agent_days, {1000 * runs_s:.1f} ms from "
        f"fct_runs, {1000 * log_s:.0f} ms from the log's Parquet: {log_s / days_s:.0f} times as long"
    )


def _median_s(ask: Callable[[], object]) -> float:
    ask()
    taken = []
    for _ in range(ASKED):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
