"""The meaning of events: every rule has rows worked out by hand, every column its sentence and unit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from app import metrics_page
from app.build import PROJECT
from ingest.contract import arrow_schema
from ingest.reader import snapshot
from tests.same_tables import tables_that_differ
from tests.warehouse_world import World, world

MUTANTS = (
    # a planned approval becomes an intervention
    ("int_runs_judged", "('rejected', 'approved_changed')", "('rejected', 'approved')"),
    # ratings and judges decide success
    ("int_runs_judged", "'user_confirmation')", "'user_confirmation', 'judge', 'user_rating')"),
    # the wait for a person includes the queue
    ("int_runs_waited", "'coalesce(decided_at, next_at)'", "'next_at'"),
    # a run is lost although it waits for a person
    ("int_runs_timed", "and not coalesce(waits.is_waiting, false)", ""),
    # a stated cost of 0 is believed
    ("int_runs_costed", "nullif(runs.reported_cost_nano_usd, 0)", "runs.reported_cost_nano_usd"),
    # a denied call counts as executed
    ("int_tool_calls_paired", "'refused', 'denied') then false", "'refused', 'denied') then true"),
    # a showing after the decision counts
    ("int_approvals_decided", "approval_events.occurred_at <= decided.occurred_at", "true"),
    # what was stopped with its run lapsed by itself
    ("int_approvals_decided", "when expired.is_withdrawn then 'withdrawn'", ""),
    # a run of which only a turn is left has no day
    ("int_runs_timed", "requested_at, seen_at)", "requested_at)"),
    # a rejected call counts as approved
    ("fct_tool_calls", "decision in ('approved', 'approved_changed')", "decision is not null"),
    # every tool needs a rule
    ("dim_agent_versions", "where tool_effect = 'consequential'", ""),
    # an older restatement stays in force
    ("rpt_restated_days", "order by restatements.occurred_at desc", "order by restatements.occurred_at asc"),
    # an incident that somebody looks after has ended
    (
        "fct_alert_incidents",
        "when acknowledged.alert_incident_id is not null then 'acknowledged'",
        "when acknowledged.alert_incident_id is not null then 'ended'",
    ),
    # delegated runs are paid by the team of their agent
    ("int_runs_found", "coalesce(roots.team_id, found.team_id)", "found.team_id"),
    # events of other runs are counted too
    ("int_runs_seen", "where told.run_id is null", ""),
    # the cost of delegated runs is left out
    ("int_runs_totalled", "cast(sum(costs.cost_nano_usd)", "cast(max(costs.cost_nano_usd)"),
    # a raise counts for ever
    ("int_wallet_windows_opened", "and cap_events.expires_at > windows.judged_at", ""),
    # a version that waits for a second person is in force
    ("int_versions_ruled", "else approved.occurred_at\n", "else declared.occurred_at\n"),
    # an owner who left still answers
    ("int_agents_declared", "in ('owner_changed', 'agent_version_declared')", "= 'agent_version_declared'"),
    # what did not change is one more row
    ("dim_agent_history", "before_at is null", "true"),
    # a slot that a rule refused counts as missed
    ("fct_schedule_fires", "and slots.refusal_rule is not null", "and false"),
    # the running sum of a wallet goes on over its windows
    (
        "fct_wallet_days",
        "partition by wallet_id, is_demo, window_start_date",
        "partition by wallet_id, is_demo",
    ),
    # a removed tool stays declared
    ("dim_tools", "coalesce(newest.event_type = 'tool_declared', false)", "newest.event_type is not null"),
    # an older export of a provider stays in force
    ("int_provider_usage_stated", "order by imported_recorded_at desc", "order by imported_recorded_at asc"),
    # an export made before the day was over holds the whole day
    ("int_provider_days_stated", "and bool_and(usage_end_at <= imported_at)", ""),
    # the same tokens at another cost are a gap in the log
    ("rpt_provider_days", "and is_usage_whole and is_tokens_equal then", "and false then"),
    # a run that expired while it waited counts as failed
    ("fct_runs", "'cancelled', 'expired_waiting'", "'cancelled'"),
)
"""Model, what is right, and what a mistake would write."""

NOT_PORTABLE = (
    r"::|\b(varchar|hugeint|epoch\(|strftime|list\(|unnest|struct_pack|quantile_cont|arg_max|exclude|regexp_\w+|"
    r"string_agg|listagg|generate_series|asof|union by name|now\(\)|current_timestamp|current_date)\b"
)
NAMES_OF_THINGS = re.compile(r"(_index|_version|^attempt|^build_id|^position)$")
"""Numbers that name something and have no unit."""


def dbt(project: Path, folder: Path, *arguments: str, events: str = "") -> dict[str, str]:
    """Run dbt over the files ``events``, or over an empty log; status by the node's name."""
    folder.mkdir(exist_ok=True)
    if not events:
        pq.write_table(arrow_schema().empty_table(), folder / "events.parquet")
    environment = {
        **os.environ,
        "FLEETBOOK_EVENT_FILES": events or f"'{folder}/events.parquet'",
        "FLEETBOOK_TIME_ZONE": "Europe/Berlin",
        "FLEETBOOK_WAREHOUSE_FILE": str(folder / "warehouse.duckdb"),
        "FLEETBOOK_WORK_FILE": str(folder / "work.duckdb"),
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "dbt.cli.main", *arguments, "--quiet", "--no-use-colors"]
    places = ["--project-dir", str(project), "--profiles-dir", str(project)]
    places += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    subprocess.run([*command, *places], env=environment, capture_output=True, check=False)
    results = json.loads((folder / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {result["unique_id"].split(".")[-1]: result["status"] for result in results}


def rules() -> set[str]:
    """Names of all unit tests in the project."""
    files = (PROJECT / "models").rglob("_unit_*.yml")
    return {
        rule["name"]
        for file in files
        for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["unit_tests"]
    }


@pytest.fixture(scope="module")
def built() -> World:
    return world()


def test_every_rule_gives_the_rows_worked_out_by_hand_and_dbt_makes_the_builders_tables(
    built: World, tmp_path: Path
) -> None:
    files = snapshot(built.workspace, tmp_path / "log").files
    events = "[" + ", ".join(f"'{file}'" for file in files) + "]"
    statuses = dbt(PROJECT, tmp_path / "right", "build", events=events)
    bad = {name: status for name, status in statuses.items() if status not in ("success", "pass", "no-op")}
    assert bad == {}
    assert rules() <= statuses.keys()
    by_dbt = tmp_path / "right" / "warehouse.duckdb"
    assert tables_that_differ(built.warehouse.file, by_dbt) == {"build_info"}  # its number and its moment


def test_every_rule_catches_its_mutant(tmp_path: Path) -> None:
    project = tmp_path / "mutant"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for name, right, wrong in MUTANTS:
        (file,) = (project / "models").rglob(f"{name}.sql")
        sql = file.read_text(encoding="utf-8")
        assert right in sql, file
        file.write_text(sql.replace(right, wrong), encoding="utf-8")
    dbt(project, tmp_path / "wrong", "run", "--empty")
    statuses = dbt(project, tmp_path / "wrong", "test", "--select", "test_type:unit")
    assert {name for name, status in statuses.items() if status == "fail"} == rules()


def test_every_column_has_its_sentence_in_the_file(built: World) -> None:
    for table, sentence in built.warehouse.tables().items():
        assert sentence, table
        for column, meaning in built.warehouse.column_docs(table).items():
            assert meaning.endswith("."), (table, column)


def test_every_number_has_a_unit_and_a_format() -> None:
    for mart in metrics_page.marts():
        for column in mart["columns"]:
            is_number = column["data_type"] == "bigint" or column["data_type"].startswith("decimal")
            if is_number and not NAMES_OF_THINGS.search(column["name"]):
                meta = column.get("config", {}).get("meta", {})
                assert meta.get("unit"), (mart["name"], column["name"])
                assert meta.get("format"), (mart["name"], column["name"])


def test_the_yaml_documents_every_column_that_exists_and_no_other(built: World) -> None:
    documented = {
        mart["name"]: [column["name"] for column in mart["columns"]] for mart in metrics_page.marts()
    }
    assert documented == {name: list(built.warehouse.column_docs(name)) for name in built.warehouse.tables()}


def test_every_mart_has_an_enforced_contract(built: World) -> None:
    manifest = json.loads((built.generation.path / "manifest.json").read_text(encoding="utf-8"))
    marts = {
        node["name"]: node["contract"]["enforced"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["path"].startswith("marts/")
    }
    assert set(marts) == set(built.warehouse.tables())
    assert all(marts.values())


def test_only_marts_are_published(built: World) -> None:
    rows = built.warehouse.fetch(
        "select view_name as name from duckdb_views() where not internal "
        "union all select table_name from duckdb_tables() where schema_name <> 'main'",
        {},
    )
    assert rows.is_empty()


def test_words_of_one_engine_stand_in_the_dispatched_macros_only() -> None:
    for file in sorted((PROJECT / "models").rglob("*.sql")):
        sql = re.sub(r"--.*|\{#.*?#\}", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        assert re.findall(NOT_PORTABLE, sql) == [], file


def test_every_order_says_where_nulls_go() -> None:
    for file in sorted((PROJECT / "models").rglob("*.sql")):
        sql = re.sub(r"\{#.*?#\}", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        for order in re.findall(r"order by\s+([^)]*?)\s*\n?\s*\)", sql):
            first = order.split(",")[0]
            assert "nulls last" in first or "case when" in first or "depth" in first, (file, order)


def test_models_are_short() -> None:
    for file in (PROJECT / "models").rglob("*.sql"):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 120, file


def test_the_metrics_page_is_made_from_the_yaml() -> None:
    assert metrics_page.main(["--check"]) == 0, "run `python -m app.metrics_page --write`"
