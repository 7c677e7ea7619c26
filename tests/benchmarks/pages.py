"""Pages: from click to painted, server time and memory, per view, beside a bare page with one chart.

Cold is the first load of a view after the server started; warm loads follow in the same browser. A change is
a click in the navigation, a filter a click on another period. The server's own time is that of sessions
without a browser, one and twenty at once; memory is the server's when they are open and at the end. A search
asks for words that were not asked before, in names and ids, and in texts. The bare page is Streamlit alone
with one query and one chart, on the same warehouse in the same run.

    ./fleetbook bench pages [--workspace=PATH] [--events=100000] [--rounds=10] [--views=fleet,runs]

Without a workspace a demo of about that many events is made and thrown away: 100,000 of its own story, what
is beyond as plain runs of its agents over the 400 days before.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from app.views._parts.frame import NAVIGATION
from ingest.workspace import Workspace
from runner.control.registry import Registry
from tests.benchmarks._figures import note, peer
from tests.benchmarks._fleet_log import Cast, Member, write_days
from tests.benchmarks._painted import browser, change_ms, filter_ms, load_ms
from tests.benchmarks._sessions import crowd

ROOT = Path(__file__).resolve().parents[2]
EVENTS_PER_RUN = 14.4  # of the demo
MOST_OF_DEMO = 100_000  # its story is told at 4,000 events a second; what is beyond, DuckDB writes
DAYS = 400
SESSIONS = 20
TITLES = {name: title for pages in NAVIGATION.values() for name, title, _ in pages}
SEARCHED = ("refund", "mara", "gpt-4.1", "support", "invoice", "nothing-like-it")
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
    """A demo workspace of about ``events`` events, built: the demo's own history, before it a plain one."""
    from app.build import build
    from app.demo import making, state
    from app.demo.state import State
    from app.demo.story import make_plan

    plan = make_plan(dt.datetime.now(dt.UTC), "Europe/Berlin")
    workspace = Workspace(folder / "workspace")
    workspace.wal_dir.mkdir(parents=True)
    told = min(events, MOST_OF_DEMO)
    state.save(workspace, State(plan=replace(plan, runs=round(told / EVENTS_PER_RUN)), caps={}))
    workspace, known = making.begin(workspace.root, dt.datetime.now(dt.UTC))
    registry = making.declare(workspace, known)
    making.tell_history(workspace, known, lambda _what, _done, _of: None)
    if events > told:
        write_days(workspace, 0, DAYS, (events - told) // DAYS, cast_of(workspace, registry))
    build(workspace)
    return workspace


def cast_of(workspace: Workspace, registry: Registry) -> Cast:
    """The demo's agents, each in its first version, and its people, from ``DAYS`` days ago on."""
    from app.demo.stages import declared_versions

    versions = declared_versions(workspace)
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Cast(
        agents=tuple(
            Member(name, agent.team, versions[name][0].version_hash)
            for name, agent in registry.agents.items()
            if name in versions
        ),
        people=tuple(registry.people),
        first_day=today - dt.timedelta(days=DAYS),
        is_demo=True,
    )


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


@dataclass(frozen=True, kw_only=True)
class Load:
    """One server's figures: in a browser, and of sessions without one (seconds of each run by view)."""

    times: dict[str, Times]
    one: dict[str, list[float]]
    many: dict[str, list[float]]
    cpu_ms: float
    memory_mb: tuple[float, float]


def loaded(server: Server, times: dict[str, Times], views: list[str], rounds: int) -> Load:
    """The figures without a browser, beside those with one."""
    one = asyncio.run(crowd(server.port, views, [""], rounds))
    before, cpu = server.memory_mb, server.cpu_s
    many = asyncio.run(crowd(server.port, views, [""] * SESSIONS, 2))
    cpu_ms = (server.cpu_s - cpu) / (SESSIONS * len(views) * 2) * 1e3
    return Load(times=times, one=one, many=many, cpu_ms=cpu_ms, memory_mb=(before, server.memory_mb))


def bare(file: Path, folder: Path, rounds: int) -> Load:
    """The same of Streamlit alone with one query and one chart."""
    (folder / "bare.py").write_text(BARE.format(file=str(file)))
    (folder / "server.py").write_text(SERVER)
    port = free_port()
    words = [str(folder / "server.py"), str(folder / "bare.py"), str(port)]
    with serving(words, {}, port) as server:
        with browser() as page:
            cold = load_ms(page, f"http://127.0.0.1:{port}/")
            warm = [load_ms(page, f"http://127.0.0.1:{port}/") for _ in range(rounds)]
            filtered = [filter_ms(page, word) for word in ("13 wk", "28 days") * (rounds // 2)]
        return loaded(server, {"": Times(cold, warm, [], filtered)}, [""], rounds)


def searched(server: Server) -> dict[str, list[float]]:
    """Seconds of searches over all runs, by where the words are looked for."""
    found = {}
    for place, more in (("names and ids", ""), ("texts, too", "&in=texts")):
        queries = [f"days=all&q={word}{more}" for word in SEARCHED]
        found[place] = [asyncio.run(crowd(server.port, ["runs"], [query], 1))["runs"][0] for query in queries]
    return found


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
        ours = loaded(server, painted(server, views, rounds), views, rounds)
        searches = searched(server)
    reference = bare(warehouse.file, folder, rounds)
    counted = warehouse.fetch("select event_count from main.build_info", {}).item()
    _note(ours, reference)
    console = Console(width=130)
    console.print(_table(f"{counted:,} events; milliseconds, median / slowest twentieth", ours, reference))
    for place, took in searches.items():
        console.print(f"search in {place}: {two([one * 1e3 for one in took])} ms of the server")
    for name, load in (("ours", ours), ("bare page", reference)):
        before, after = load.memory_mb
        console.print(
            f"{name}: {load.cpu_ms:.0f} ms of CPU per run with {SESSIONS} sessions; "
            f"{before:.0f} MB resident with one, {after:.0f} MB with {SESSIONS}"
        )


def _note(ours: Load, reference: Load) -> None:
    (bare_page,) = reference.times.values()
    for view, told in ours.times.items():
        beside = peer("bare page", statistics.median(bare_page.warm))
        warm = statistics.median(told.warm)
        note("pages", f"{view}: from click to painted, warm", warm, "ms", beside=beside)
        alone = statistics.median(ours.one[view]) * 1e3
        note("pages", f"{view}: the server's part, one session", alone, "ms")
    name, cpu = f"CPU per page, {SESSIONS} sessions", peer("bare page", reference.cpu_ms)
    note("pages", name, ours.cpu_ms, "ms", key="page_cpu_ms", beside=cpu)
    memory = peer("bare page", reference.memory_mb[1])
    note("pages", f"memory, {SESSIONS} sessions", ours.memory_mb[1], "MB", key="pages_mb", beside=memory)


def _table(title: str, ours: Load, reference: Load) -> Table:
    table = Table(title=title)
    heads = ("cold load", "warm load", "page change", "filter", "server, 1", f"server, {SESSIONS} at once")
    table.add_column("")
    for head in heads:
        table.add_column(head, justify="right")
    for load in (ours, reference):
        for view, told in load.times.items():
            table.add_row(
                view or "bare page",
                f"{told.cold:,.0f}",
                two(told.warm),
                two(told.change),
                two(told.filtered),
                two([took * 1e3 for took in load.one[view]]),
                two([took * 1e3 for took in load.many[view]]),
            )
    return table
