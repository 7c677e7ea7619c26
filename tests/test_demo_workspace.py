"""`fleetbook demo` as a user meets it, with a short history: made, carried on, refused, served, ended."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from app.demo import state
from app.demo.history import RECORDED_VIA
from app.demo.live import SCENES
from app.demo.state import State
from app.demo.story import Plan, make_plan
from app.desk import Desk
from app.warehouse import Warehouse
from ingest.reader import event_ids
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.tables import schedule_slots
from tests.tau2_files import document, good, write

ROOT = Path(__file__).resolve().parent.parent
DAYS, RUNS = 25, 1_500


def short_plan() -> Plan:
    """The last 25 days with 1,500 runs: every step of the demo, in seconds."""
    whole = make_plan(dt.datetime.now(dt.UTC), "Europe/Berlin")
    return replace(whole, runs=RUNS, start=whole.end - dt.timedelta(days=DAYS))


def prepared(root: Path, plan: Plan) -> Workspace:
    """A demo that was begun with ``plan`` and has done nothing yet."""
    workspace = Workspace(root)
    workspace.wal_dir.mkdir(parents=True)
    state.save(workspace, State(plan=plan, caps={}))
    return workspace


def environment(root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "FLEETBOOK_CONTROL_URL"}
    return {**kept, "FLEETBOOK_HOME": str(root), "COLUMNS": "200"}


def fleetbook(
    root: Path, *arguments: str | Path, code: str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    start = ["-c", code] if code else ["-m", "app.cli"]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**environment(root), **more},
    )


@pytest.fixture(scope="module")
def plan() -> Plan:
    return short_plan()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Workspace:
    """A demo workspace, made by the command."""
    workspace = prepared(tmp_path_factory.mktemp("demo") / "workspace", plan)
    done = fleetbook(workspace.root, "demo", "--no-serve")
    assert done.returncode == 0, done.stderr
    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")]
    assert lines == ["Workspace", "Registry", "History", "Live", "Warehouse", "Log"]
    assert "no findings" in done.stdout
    return Workspace.open(workspace.root)


@pytest.fixture
def warehouse(made: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    current = Warehouse.current(made)
    assert current is not None
    with duckdb.connect(str(current.file), read_only=True) as connection:
        yield connection


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query).fetchall()


def asked(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    """The answer of the current generation."""
    current = Warehouse.current(workspace)
    assert current is not None
    with duckdb.connect(str(current.file), read_only=True) as connection:
        return rows(connection, query)


def test_the_demo_holds_34_registered_agents_and_its_history(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert rows(warehouse, "select count(*) from dim_agents where is_registered and is_demo") == [(34,)]
    ((runs,),) = rows(warehouse, "select count(*) from fct_runs where recorded_via = 'demo'")
    assert RUNS * 0.8 < runs < RUNS * 1.2
    assert rows(warehouse, "select count(*) from fct_runs where not is_demo") == [(0,)]
    assert rows(
        warehouse,
        "select count(*) from fct_runs where declared_event_count is distinct from event_count "
        "and run_status = 'ended' and end_state <> 'lost'",
    ) == [(0,)]


def test_the_live_runs_are_real_and_one_waits_for_a_person(warehouse: duckdb.DuckDBPyConnection) -> None:
    live = rows(
        warehouse,
        "select agent_id, run_status, coalesce(end_state, ''), is_demo from fct_runs "
        "where recorded_via = 'runner'",
    )
    assert len(live) == len(SCENES)
    assert Counter(row[1:] for row in live) == {("ended", "completed", True): 5, ("waiting", "", True): 1}
    assert rows(warehouse, "select agent_id from fct_approvals where approval_status = 'waiting'") == [
        ("refund-agent",)
    ]


def test_the_wallets_say_the_same_live_and_in_the_warehouse(
    made: Workspace, warehouse: duckdb.DuckDBPyConnection
) -> None:
    live = {
        wallet.wallet_id: (wallet.spent_usd, wallet.held_usd, wallet.cap_usd)
        for wallet in Desk.open(made).wallets("ada-winter")
    }
    query = """
        select wallet_id, spent_usd, held_usd, cap_usd from fct_wallet_windows
        where is_demo and now() >= window_start_at and now() < window_end_at
    """
    assert len(live) == 10
    assert {row[0]: row[1:] for row in rows(warehouse, query)} == live


def test_the_schedules_say_the_same_live_and_in_the_warehouse(
    made: Workspace, warehouse: duckdb.DuckDBPyConnection
) -> None:
    told = rows(warehouse, "select schedule_id, slot_at, run_id from fct_schedule_fires")
    with Control(made, process_name="tests") as control, control.store.read() as connection:
        query = sa.select(schedule_slots.c.schedule_id, schedule_slots.c.slot_at, schedule_slots.c.run_id)
        kept = [tuple(row) for row in connection.execute(query)]
    assert len(kept) == len(told) > 100
    assert set(kept) == set(told)


def test_versions_of_the_history_and_of_today_are_numbered_in_one_line(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    versions = rows(
        warehouse,
        "select agent_version, model_name from dim_agent_versions "
        "where agent_id = 'refund-agent' order by agent_version",
    )
    assert versions == [(1, "gpt-4.1-mini"), (2, "claude-haiku-4-5"), (3, "sim:refund")]


def test_a_second_start_takes_no_step_twice(made: Workspace) -> None:
    before = event_ids(made, recorded_via=RECORDED_VIA)
    done = fleetbook(made.root, "demo", "--no-serve")
    assert done.returncode == 0, done.stderr
    assert "Log" not in [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")]
    assert event_ids(made, recorded_via=RECORDED_VIA) == before
    assert len(state.load(made).live_runs) == len(SCENES)  # type: ignore[union-attr]  # it is a demo workspace


# The process kills itself at its n-th fdatasync, in the middle of the history.
KILLED = """
import os, signal, sys
import app.demo.history as history
history.BATCH_EVENTS = 2_000
real_tell = history.LogWriter.append
left = [int(sys.argv.pop(1))]
def append(self, events, payloads=()):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real_tell(self, events, payloads)
from app.demo import making
whole = making.tell_history
def tell_history(*arguments):
    history.LogWriter.append = append
    return whole(*arguments)
making.tell_history = tell_history
from app.cli import main
main()
"""


def test_a_killed_history_is_carried_on_without_loss_and_without_doubles(
    made: Workspace, plan: Plan, tmp_path: Path
) -> None:
    workspace = prepared(tmp_path / "workspace", plan)
    killed = fleetbook(workspace.root, "4", "demo", "--no-serve", code=KILLED)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    whole = event_ids(made, recorded_via=RECORDED_VIA)
    partly = event_ids(workspace, recorded_via=RECORDED_VIA)
    assert 0 < len(partly) < len(whole)
    again = fleetbook(workspace.root, "demo", "--no-serve")
    assert again.returncode == 0, again.stderr
    assert "was interrupted. It is carried on" in again.stdout
    assert event_ids(workspace, recorded_via=RECORDED_VIA) == whole
    query = "select sum(event_count), count(distinct run_id) from fct_runs where recorded_via = 'demo'"
    assert asked(workspace, query) == asked(made, query)


def test_imported_runs_stay_real_in_a_demo_workspace(made: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "real.json", document(good()))
    done = fleetbook(made.root, "import", "tau2", path, "--team", "support")
    assert done.returncode == 0, done.stderr
    assert fleetbook(made.root, "build").returncode == 0
    query = "select is_demo, team_id from fct_runs where recorded_via like 'import:%'"
    assert asked(made, query) == [(False, "support")]


def test_a_workspace_of_ones_own_is_left_as_it_is(tmp_path: Path) -> None:
    own = Workspace.create(tmp_path / "own")
    before = sorted(own.root.rglob("*"))
    done = fleetbook(own.root, "demo", "--no-serve")
    assert done.returncode == 1
    assert "is a workspace of your own and stays as it is" in done.stderr
    assert sorted(own.root.rglob("*")) == before


def test_a_folder_with_other_files_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    folder = fleetbook(tmp_path, "demo", "--no-serve")
    assert (folder.returncode, "is not empty" in folder.stderr) == (1, True)
    file = fleetbook(tmp_path / "letter.txt", "demo", "--no-serve")
    assert (file.returncode, "is a file" in file.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_control_store_elsewhere_is_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    done = fleetbook(tmp_path / "new", "demo", "--no-serve", FLEETBOOK_CONTROL_URL=url)
    assert done.returncode == 1
    assert "FLEETBOOK_CONTROL_URL" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_taken_port_is_said_before_any_work(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = fleetbook(tmp_path / "new", "demo", "--port", str(port))
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_history_begun_by_another_release_is_not_completed(tmp_path: Path, plan: Plan) -> None:
    workspace = prepared(tmp_path / "workspace", plan)
    text = workspace.demo_file.read_text().replace(f'"story": {state.STORY}', '"story": 0')
    workspace.demo_file.write_text(text)
    done = fleetbook(workspace.root, "demo", "--no-serve")
    assert done.returncode == 2
    assert "begun by another release" in done.stderr
    workspace.demo_file.write_text("{")
    assert "cannot be read" in fleetbook(workspace.root, "demo", "--no-serve").stderr


def children_of(pid: int) -> set[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return {int(word) for word in found.stdout.split()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_pages_open_and_ctrl_c_ends_everything(made: Workspace, number: signal.Signals) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "app.cli", "demo", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(made.root),
    )
    assert process.stdout is not None
    try:
        opened = next((line for line in process.stdout if line.startswith("Pages:")), "")
        assert re.search(rf"http://localhost:{port}", opened)
        helpers = children_of(process.pid)
        assert len(helpers) == 3  # pages, worker, builder
        process.send_signal(number)
        assert process.wait(60) == 0
        assert "Nothing is lost" in process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert not [pid for pid in helpers if Path(f"/proc/{pid}").exists()]
