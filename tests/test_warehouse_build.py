"""Generations: published whole or not at all, one builder, readers never disturbed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest
import yaml

from app.build import PROJECT, REPOSITORY, build
from app.errors import BuildBusy, BuildFailed
from app.generations import KEPT, PIN, BuildFolder
from app.warehouse import QUESTIONS, Warehouse
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.warehouse_world import LEAD, NOW, REGISTRY, Scribe, World, world

SMALL_MODELS = {
    "build_info": """
        select {{ env_var('FLEETBOOK_BUILD_ID') }} as build_id, count(*) as event_count,
            max(occurred_at) as data_until
        from {{ source('log', 'events') }}
    """,
    "fct_runs": "select {{ env_var('FLEETBOOK_BUILD_ID') }} as build_id from {{ ref('build_info') }}",
}
SLOW_MODEL = "select sum(one.range * two.range) as number from range(4000000) one, range(4000000) two"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A dbt project of two models over the real source: enough for how generations are made."""
    project = tmp_path / "small"
    models = project / "models"
    models.mkdir(parents=True)
    facts = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    del facts["models"]
    (project / "dbt_project.yml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    for name in ("profiles.yml", "models/staging/_sources.yml"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_bytes((PROJECT / name).read_bytes())
    for name, sql in SMALL_MODELS.items():
        (models / f"{name}.sql").write_text("{{ config(materialized='table') }}" + sql, encoding="utf-8")
    return project


def current_build_ids(workspace: Workspace) -> set[int]:
    """The build ids found in both tables of the current generation."""
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    rows = warehouse.fetch(
        "select build_id from main.build_info union all select build_id from main.fct_runs", {}
    )
    return set(rows["build_id"].to_list())


def test_a_test_that_fails_names_the_rows(workspace: Workspace, small: Path) -> None:
    (small / "tests").mkdir()
    wrong = "select build_id, 'a run' as what from {{ ref('fct_runs') }}"
    (small / "tests" / "nothing_ran.sql").write_text(wrong, encoding="utf-8")
    named = "test nothing_ran: 1 rows break it, among them: build_id = 1, what = a run"
    with pytest.raises(BuildFailed, match=named):
        build(workspace, project=small, now=NOW)


def test_an_empty_log_builds_every_table_with_no_rows(workspace: Workspace) -> None:
    made = build(workspace)
    assert made.event_count == 0
    assert made.data_until is None
    filled = {name for name, rows in made.row_counts.items() if rows}
    assert filled == {"build_info", "dim_checks", "dim_metrics"}
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    lead = warehouse.for_person(LEAD)
    for name in QUESTIONS:
        filters = {"run_id": "none"} if "run_id" in QUESTIONS[name].takes else {}
        lead.query(name, is_demo=False, **filters)


def test_there_is_no_warehouse_before_the_first_build(workspace: Workspace) -> None:
    assert Warehouse.current(workspace) is None


BROKEN: Mapping[str, tuple[str, str]] = {
    "fct_runs.sql": ("select no_such_column from {{ ref('build_info') }}", "no_such_column"),
    "fct_calls.sql": ("select {{ no_such_macro() }} as x", "no_such_macro"),
    "_models.yml": (
        "{version: 2, models: [{name: fct_runs, columns: [{name: build_id, data_tests: "
        "[{accepted_values: {arguments: {values: [7]}}}]}]}]}",
        "fct_runs",
    ),
    "_contract.yml": (
        "{version: 2, models: [{name: fct_runs, config: {contract: {enforced: true}}, "
        "columns: [{name: build_id, data_type: varchar}]}]}",
        "fct_runs",
    ),
}
"""File of the project, what it is broken with, and the word that the error must say."""


def test_a_failed_build_names_what_failed_and_leaves_the_generation_before(
    workspace: Workspace, small: Path
) -> None:
    (small / "models" / "broken.sql").write_text("select 1 / as x", encoding="utf-8")
    with pytest.raises(BuildFailed, match="There is no generation yet"):
        build(workspace, project=small)
    assert Warehouse.current(workspace) is None
    (small / "models" / "broken.sql").unlink()
    build(workspace, project=small)
    for name, (content, word) in BROKEN.items():
        file = small / "models" / name
        before = file.read_text(encoding="utf-8") if file.exists() else None
        file.write_text(content, encoding="utf-8")
        with pytest.raises(BuildFailed) as failure:
            build(workspace, project=small)
        assert word in str(failure.value), name
        assert "Generation 1 stays the current one." in str(failure.value)
        assert current_build_ids(workspace) == {1}
        assert [path.name for path in (workspace.build_dir / "gens").iterdir()] == ["000001"]
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")
    assert build(workspace, project=small).build_id == "2"


def test_one_builder_at_a_time_and_a_dead_ones_lock_file_stops_nobody(
    workspace: Workspace, small: Path
) -> None:
    lock_file = workspace.build_dir / "build.lock"
    lock_file.write_text("999999", encoding="utf-8")
    with lock_file.open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BuildBusy, match=r"another build.*process 999999"):
            build(workspace, project=small)
    build(workspace, project=small)
    began_with = Warehouse.current(workspace)
    assert began_with is not None
    build(workspace, project=small)
    assert current_build_ids(workspace) == {2}
    # a page that began before goes on with what it began with
    assert began_with.fetch("select build_id from main.build_info", {}).item() == 1


def test_a_killed_build_leaves_the_old_generation_and_the_next_one_carries_on(
    workspace: Workspace, small: Path
) -> None:
    build(workspace, project=small)
    slow = small / "models" / "slow.sql"
    slow.write_text("{{ config(materialized='table') }}" + SLOW_MODEL, encoding="utf-8")
    script = """if True:
        import sys
        from pathlib import Path
        from app.build import build
        from ingest.workspace import Workspace
        workspace, project = Workspace.open(Path(sys.argv[1])), Path(sys.argv[2])
        build(workspace, project=project, progress=lambda step: print(step, flush=True))
    """
    builder = subprocess.Popen(
        [sys.executable, "-c", script, str(workspace.root), str(small)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert builder.stdout is not None
    assert builder.stdout.readline()  # a model is made; the slow one is running or next
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait()
    builder.stdout.close()
    assert current_build_ids(workspace) == {1}
    slow.unlink()
    assert build(workspace, project=small).build_id == "2"
    assert current_build_ids(workspace) == {2}
    assert not (workspace.build_dir / "making").exists()
    assert not (workspace.build_dir / "work").exists()


def test_readers_see_one_whole_generation_each_time_while_builds_go_on(
    workspace: Workspace, small: Path
) -> None:
    build(workspace, project=small)
    done = threading.Event()
    seen: list[set[int]] = []
    errors: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                seen.append(current_build_ids(workspace))
        except BaseException as error:  # a reader's failure is the finding
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(2):
        build(workspace, project=small)
    done.set()
    for reader in readers:
        reader.join()
    assert errors == []
    assert all(len(ids) == 1 for ids in seen)
    assert {1, 2, 3} >= {number for ids in seen for number in ids} >= {1, 2}


def test_old_generations_are_removed_except_pinned_ones(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path / "build")
    for _ in range(KEPT + 2):
        with folder.builder():
            number = folder.next_number()
            made = folder.publish(number, {"build_id": number})
            if number == 1:
                (made / PIN).touch()
    assert folder.numbers() == [1, 3, 4, 5]
    assert folder.pointer.resolve() == folder.generations / "000005"


def test_events_of_an_open_writer_count_and_any_folder_name_will_do(tmp_path: Path, small: Path) -> None:
    workspace = Workspace.create(tmp_path / "it's [a] $5 * day=1")
    with LogWriter(workspace, recorded_via="app", process_name="test", clock=lambda: NOW) as log:
        Scribe(log).tell("signed_in", "11-02 09:00:00", person_id="ada")
        assert build(workspace, project=small).event_count == 2  # opened, signed in


def test_an_event_that_was_delivered_twice_counts_once() -> None:
    built = world()
    facts = json.loads((built.generation.path / "generation.json").read_text(encoding="utf-8"))
    assert facts["log"]["rows"] == facts["event_count"] + 4  # the imported run came twice
    runs = built.warehouse.for_person(LEAD).query("run", is_demo=False, run_id="imported")
    assert runs["event_count"].to_list() == [3]


def test_the_file_is_readable_by_duckdb_1_2_and_nothing_lies_beside_it() -> None:
    built: World = world()
    names = {path.name for path in built.generation.path.iterdir()}
    assert names == {"warehouse.duckdb", "generation.json", "manifest.json", "run_results.json", "marts"}
    assert oct(built.warehouse.file.stat().st_mode)[-3:] == "444"
    version = built.warehouse.fetch(
        "select tags['storage_version'] from duckdb_databases() where database_name = 'warehouse'", {}
    ).item()
    assert version.startswith("v1.2.0")


def test_the_parquet_copy_of_each_table_has_its_rows_and_its_digest() -> None:
    built = world()
    facts = json.loads((built.generation.path / "generation.json").read_text(encoding="utf-8"))
    assert facts["time_zone"] == yaml.safe_load(REGISTRY)["company"]["time_zone"]
    with duckdb.connect() as connection:
        folder = built.generation.path / "marts"
        files = {str(file.relative_to(folder)): file for file in folder.rglob("*.parquet") if file.is_file()}
        assert files.keys() == facts["parquet_sha256"].keys()
        for name, file in files.items():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == facts["parquet_sha256"][name]
        for name, rows in facts["row_counts"].items():
            of_name = [str(file) for key, file in files.items() if key.startswith(f"{name}.parquet")]
            told = connection.execute("select count(*) from read_parquet(?)", [of_name]).fetchall()
            assert told == [(rows,)]


def test_the_command_says_what_was_built_and_where_it_is(workspace: Workspace) -> None:
    def run(word: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", "--workspace", str(workspace.root), word]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    before = run("warehouse")
    assert (before.returncode, before.stdout) == (1, "No warehouse yet. Make one with `fleetbook build`.\n")
    made = run("build")
    assert made.returncode == 0, made.stderr
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    assert f"Build 1: 0 events, 0 runs, {len(warehouse.tables())} tables" in made.stdout
    assert "The log is empty." in made.stdout
    shown = run("warehouse")
    assert shown.returncode == 0
    assert str(workspace.build_dir / "gens" / "000001" / "warehouse.duckdb") in shown.stdout
    assert "fct_runs" in shown.stdout
    (workspace.registry_file).write_text("company: {name: Test, time_zon: UTC}\n", encoding="utf-8")
    failed = run("build")
    assert failed.returncode != 0
    assert "time_zone" in failed.stderr  # the nearest valid key
