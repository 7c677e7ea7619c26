"""Pages: from click to painted, server time and memory, per view, beside a bare page with one chart.

Cold is the first load of a view after the server started; warm loads follow in the same browser. A change is
a click in the navigation, a filter a click on another period. The server's own time is that of sessions
without a browser, one and twenty at once. The bare page is Streamlit alone with one query and one chart, on
the same warehouse in the same run.

    ./fleetbook bench pages [--workspace=PATH] [--events=100000] [--rounds=10] [--views=fleet,runs]

Without a workspace a demo of about that many events is made and thrown away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from app.views._parts.frame import NAVIGATION
from ingest.workspace import Workspace
from tests.benchmarks._painted import browser, change_ms, filter_ms, load_ms
from tests.benchmarks._sessions import crowd

ROOT = Path(__file__).resolve().parents[2]
EVENTS_PER_RUN = 14.4  # of the demo
SESSIONS = 20
TITLES = {name: title for pages in NAVIGATION.values() for name, title, _ in pages}
FILTERED = ("fleet", "spend", "agents", "runs")
BARE = """
import duckdb, plotly.graph_objects as go, streamlit as st
st.title("Bare")
days = st.segmented_control("Days", ["7", "28 days", "13 wk"], default="28 days")
rows = duckdb.connect({file!r}, read_only=True).sql(
    "select run_date, count(*) from main.fct_runs group by 1 order by 1").fetchall()
st.plotly_chart(go.Figure(go.Bar(x=[day for day, _ in rows], y=[count for _, count in rows])))
"""
SERVER = "import sys, streamlit as st\nst.App(sys.argv[1]).run(config={'server.port': int(sys.argv[2])})\n"


class Server(NamedTuple):
    """A server under test."""

    port: int
    pid: int

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1000

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the process so far."""
        cells = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(words: Sequence[str], environment: dict[str, str], port: int) -> Iterator[Server]:
    """A server in a process of its own, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            time.sleep(0.1)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def made(folder: Path, events: int) -> Workspace:
    """A demo workspace of about ``events`` events, built."""
    from app.build import build
    from app.demo import making, state
    from app.demo.state import State
    from app.demo.story import make_plan

    plan = make_plan(dt.datetime.now(dt.UTC), "Europe/Berlin")
    workspace = Workspace(folder / "workspace")
    workspace.wal_dir.mkdir(parents=True)
    state.save(workspace, State(plan=replace(plan, runs=round(events / EVENTS_PER_RUN)), caps={}))
    workspace, known = making.begin(workspace.root, dt.datetime.now(dt.UTC))
    making.declare(workspace, known)
    making.tell_history(workspace, known, lambda _what, _done, _of: None)
    build(workspace)
    return workspace


class Times(NamedTuple):
    """Milliseconds of one view."""

    cold: float
    warm: list[float]
    change: list[float]
    filtered: list[float]


def painted(server: Server, views: Sequence[str], rounds: int) -> dict[str, Times]:
    """Loads, page changes and filters of each view in one browser."""
    root = f"http://127.0.0.1:{server.port}"
    with browser() as page:
        cold = {view: load_ms(page, f"{root}/{view}") for view in views}
        found = {}
        for view in views:
            warm = [load_ms(page, f"{root}/{view}") for _ in range(rounds)]
            other = "Access" if view != "access" else "Health"
            change = []
            for _ in range(rounds):
                change_ms(page, other)
                change.append(change_ms(page, TITLES[view]))
            words = ("13 wk", "28 days") * (rounds // 2)
            filtered = [filter_ms(page, word) for word in words] if view in FILTERED else []
            found[view] = Times(cold[view], warm, change, filtered)
    return found


def bare(file: Path, folder: Path, rounds: int) -> Times:
    """The same of Streamlit alone with one query and one chart."""
    (folder / "bare.py").write_text(BARE.format(file=str(file)))
    (folder / "server.py").write_text(SERVER)
    port = free_port()
    words = [str(folder / "server.py"), str(folder / "bare.py"), str(port)]
    with serving(words, {}, port), browser() as page:
        cold = load_ms(page, f"http://127.0.0.1:{port}/")
        warm = [load_ms(page, f"http://127.0.0.1:{port}/") for _ in range(rounds)]
        filtered = [filter_ms(page, word) for word in ("13 wk", "28 days") * (rounds // 2)]
    return Times(cold, warm, [], filtered)


def two(values: Sequence[float]) -> str:
    """Median and the slowest twentieth, in milliseconds."""
    if not values:
        return "–"
    ordered = sorted(values)
    return (
        f"{statistics.median(ordered):,.0f} / {ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]:,.0f}"
    )


def main(options: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench pages")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--views", default=",".join(TITLES))
    asked = parser.parse_args(options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = Workspace(asked.workspace) if asked.workspace else made(folder, asked.events)
        measure(workspace, folder, asked.views.split(","), asked.rounds)


def measure(workspace: Workspace, folder: Path, views: list[str], rounds: int) -> None:
    """All figures of one workspace."""
    from app.warehouse import Warehouse

    warehouse = Warehouse.current(workspace)
    assert warehouse is not None, "build the workspace first"
    port = free_port()
    environment = {"FLEETBOOK_HOME": str(workspace.root)}
    with serving(["-m", "app.server", str(port)], environment, port) as server:
        times = painted(server, views, rounds)
        one = asyncio.run(crowd(port, views, [""], rounds))
        cpu, runs = server.cpu_s, SESSIONS * len(views) * 2
        many = asyncio.run(crowd(port, views, [""] * SESSIONS, 2))
        cpu_ms = (server.cpu_s - cpu) / runs * 1e3
        memory = server.memory_mb
    reference = bare(warehouse.file, folder, rounds)
    counted = warehouse.fetch("select event_count from main.build_info", {}).item()
    table = Table(title=f"{counted:,} events; milliseconds, median / slowest twentieth")
    heads = (
        "",
        "cold load",
        "warm load",
        "page change",
        "filter",
        "server, 1",
        f"server, {SESSIONS} at once",
    )
    for head in heads:
        table.add_column(head, justify="left" if not head else "right")
    for view, told in times.items():
        table.add_row(
            view,
            f"{told.cold:,.0f}",
            two(told.warm),
            two(told.change),
            two(told.filtered),
            two([took * 1e3 for took in one[view]]),
            two([took * 1e3 for took in many[view]]),
        )
    table.add_row(
        "bare page", f"{reference.cold:,.0f}", two(reference.warm), "–", two(reference.filtered), "–", "–"
    )
    Console(width=130).print(table)
    print(f"{cpu_ms:.0f} ms of CPU per run of a page with {SESSIONS} sessions; {memory:.0f} MB resident.")
