"""The main job on real input: seven files of tau2 results, and a warehouse that agrees with the truth tables.

The truth tables beside the data were computed with plain Python from the raw files, without this product.
An empty cell there means that the source does not say; here it has to be NULL.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.build import build
from ingest.importers.intake import Intent, take_in
from ingest.importers.mapping import outside_agent_id
from ingest.reader import event_ids, snapshot
from ingest.workspace import Workspace

Row = dict[str, str]
FILES = 7
RUNS = 294


@pytest.fixture(scope="module")
def sources(shared: Path) -> tuple[Path, ...]:
    found = tuple(sorted((shared / "data" / "real" / "tau2").glob("*.json.gz")))
    assert len(found) == FILES
    return found


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, sources: tuple[Path, ...]) -> Workspace:
    """A workspace into which all seven files were imported."""
    workspace = Workspace.create(tmp_path_factory.mktemp("tau2") / "workspace")
    take_in(workspace, Intent(format_name="tau2", files=sources))
    return workspace


@pytest.fixture(scope="module")
def warehouse(imported: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(build(imported).path / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def truth(shared: Path, name: str) -> list[Row]:
    with (shared / "data" / "real" / "truth" / name).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [row for row in rows if (row.get("source") or row["file"].split("/")[0]) == "tau2"]


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = warehouse.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def number(cell: str) -> Decimal | None:
    return Decimal(cell) if cell else None


def clock(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")


def same(ours: object, cell: str, tolerance: str = "0") -> bool:
    """True when both are unknown, or differ by at most ``tolerance``."""
    expected = number(cell)
    if ours is None or expected is None:
        return ours is None and expected is None
    return abs(Decimal(str(ours)) - expected) <= Decimal(tolerance)


MEASURES = """
    count(*) as runs,
    sum(user_message_count) as user_msgs,
    sum(turn_count) as llm_calls,
    sum(tool_call_count) as tool_calls,
    sum(tool_error_count) as tool_errors,
    sum(tool_error_count) / sum(executed_tool_call_count) as tool_error_rate,
    sum(other_side_tool_call_count) as other_side_tool_calls,
    sum(other_side_tool_error_count) as other_side_tool_errors,
    sum(input_tokens) as tokens_in,
    sum(output_tokens) as tokens_out,
    sum(cache_read_tokens) as cache_read,
    count(reported_cost_usd) as runs_with_cost,
    sum(reported_cost_usd) as cost_usd,
    count(*) filter (reported_cost_usd = 0) as runs_with_zero_cost,
    sum(other_side_cost_usd) as other_side_cost_usd,
    count(*) filter (has_verdict) as runs_with_outcome,
    count(*) filter (is_success) as successes,
    count(*) filter (is_success) / count(*) filter (has_verdict) as success_rate,
    count(machine_ms) as runs_with_latency,
    avg(machine_ms) / 1000 as lat_mean_s,
    quantile_cont(machine_ms, 0.5) / 1000 as lat_p50_cont_s,
    quantile_cont(machine_ms, 0.95) / 1000 as lat_p95_cont_s,
    quantile_disc(machine_ms, 0.5) / 1000 as lat_p50_disc_s,
    quantile_disc(machine_ms, 0.95) / 1000 as lat_p95_disc_s,
    max(machine_ms) / 1000 as lat_max_s,
    count(*) filter (error_type in ('infrastructure_error', 'agent_error', 'user_error', 'too_many_errors'))
        as run_errors
"""
# The truth tables round rates and seconds to six decimals; counts, tokens and money are exact.
TOLERANCES = {
    name: "0.000001" for name in ("tool_error_rate", "success_rate", "cost_usd", "other_side_cost_usd")
} | {f"lat_{name}_s": "0.000001" for name in ("mean", "p50_cont", "p95_cont", "p50_disc", "p95_disc", "max")}
COMPARED = (
    "runs",
    "user_msgs",
    "llm_calls",
    "tool_calls",
    "tool_errors",
    "tool_error_rate",
    "other_side_tool_calls",
    "other_side_tool_errors",
    "tokens_in",
    "tokens_out",
    "cache_read",
    "runs_with_cost",
    "cost_usd",
    "runs_with_zero_cost",
    "other_side_cost_usd",
    "runs_with_outcome",
    "successes",
    "success_rate",
    "runs_with_latency",
    "lat_mean_s",
    "lat_p50_cont_s",
    "lat_p95_cont_s",
    "lat_p50_disc_s",
    "lat_p95_disc_s",
    "lat_max_s",
    "run_errors",
)


def differences(ours: dict[str, Any], expected: Row) -> list[str]:
    return [
        f"{name}: ours {ours[name]}, truth {expected[name] or 'unknown'}"
        for name in COMPARED
        if not same(ours[name], expected[name], TOLERANCES.get(name, "0"))
    ]


def test_every_file_has_the_numbers_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    ours = {
        row["source_file"]: row
        for row in rows(warehouse, f"select source_file, {MEASURES} from fct_runs group by all")
    }
    expected = truth(shared, "summary_by_file.csv")
    assert len(expected) == len(ours) == FILES
    for row in expected:
        assert not differences(ours[row["file"].removeprefix("tau2/")], row), row["file"]


def test_every_agent_model_and_domain_has_the_numbers_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = f"select source_agent, model_name, source_domain, {MEASURES} from fct_runs group by all"
    ours = {
        (row["source_agent"], row["model_name"], row["source_domain"]): row for row in rows(warehouse, query)
    }
    expected = truth(shared, "summary_by_source_agent_model_domain.csv")
    assert len(expected) == len(ours)
    for row in expected:
        assert not differences(ours[row["agent"], row["model"], row["domain"]], row), row


def test_every_run_has_the_numbers_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    ours = {row["run_id"]: row for row in rows(warehouse, "select * from fct_runs")}
    expected = truth(shared, "runs.csv")
    assert len(expected) == len(ours) == RUNS
    for row in expected:
        run = ours[f"tau2-{row['run_id']}"]
        assert run["source_file"] == row["file"].removeprefix("tau2/")
        assert (run["source_agent"], run["model_name"], run["source_domain"]) == (
            row["agent"],
            row["model"],
            row["domain"],
        )
        assert (
            run["requested_at"].replace(tzinfo=None).isoformat(timespec="microseconds") == row["started_at"]
        )
        assert run["ended_at"].replace(tzinfo=None).isoformat(timespec="microseconds") == row["ended_at"]
        assert same(run["machine_ms"] / 1000, row["latency_s"], "0.000000001")
        assert same(run["user_message_count"], row["user_msgs"])
        assert same(run["turn_count"], row["llm_calls"])
        assert same(run["tool_call_count"], row["tool_calls"])
        assert same(run["tool_error_count"], row["tool_errors"])
        assert same(run["other_side_tool_call_count"], row["other_side_tool_calls"])
        assert same(run["other_side_tool_error_count"], row["other_side_tool_errors"])
        assert same(run["input_tokens"], row["tokens_in"])
        assert same(run["output_tokens"], row["tokens_out"])
        assert same(run["reported_cost_usd"], row["cost_usd"], "0.000000001")
        assert same(run["other_side_cost_usd"], row["other_side_cost_usd"], "0.000000001")
        assert run["is_success"] is (row["success"] == "1")
        assert same(run["score_micro"] / 1_000_000, row["score"])
        assert run["is_demo"] is False


def test_a_stated_cost_of_zero_without_tokens_is_an_unknown_cost(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    for run in rows(warehouse, "select * from fct_runs"):
        is_known = bool(run["reported_cost_usd"]) and run["input_tokens"] is not None
        assert run["cost_status"] == ("exact" if is_known else "unknown")
        assert run["cost_usd"] == (run["reported_cost_usd"] if is_known else None)
        assert run["list_cost_usd"] is None


def test_every_tool_of_each_side_has_the_calls_and_errors_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = """
        select runs.source_file, calls.called_by, calls.tool_name,
               count(*) as calls, count(*) filter (calls.is_error) as errors
        from fct_tool_calls as calls
        join fct_runs as runs on runs.run_id = calls.run_id
        group by all
    """
    ours = {
        (row["source_file"], row["called_by"], row["tool_name"]): (row["calls"], row["errors"])
        for row in rows(warehouse, query)
    }
    expected = {
        (row["file"].removeprefix("tau2/"), "agent" if row["side"] == "agent" else "user", row["tool"]): (
            int(row["calls"]),
            int(row["errors"]),
        )
        for row in truth(shared, "tools.csv")
    }
    assert ours == expected


def test_calls_and_results_are_paired_although_ids_repeat(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = """
        select run_id, count(*) as calls, count(finished_at) as results,
               count(*) - count(distinct tool_call_id) as repeated
        from fct_tool_calls group by run_id
    """
    ours = {row["run_id"]: row for row in rows(warehouse, query)}
    nothing = {"calls": 0, "results": 0, "repeated": 0}
    for row in truth(shared, "completeness.csv"):
        run = ours.get(f"tau2-{row['run_id']}", nothing)
        assert (run["calls"], run["results"], run["repeated"]) == (
            int(row["calls"]),
            int(row["results"]),
            int(row["repeated_call_ids"]),
        )
    assert sum(row["repeated"] for row in ours.values()) == 546


def test_every_imported_run_has_as_many_events_as_it_declares(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    (row,) = rows(
        warehouse,
        """
        select count(*) as runs, count(*) filter (event_count = declared_event_count) as whole
        from fct_runs
        """,
    )
    assert row == {"runs": RUNS, "whole": RUNS}


def test_agents_nobody_registered_keep_their_names(warehouse: duckdb.DuckDBPyConnection) -> None:
    agents = rows(warehouse, "select agent_id, is_registered, recorded_via from dim_agents order by agent_id")
    assert [agent["agent_id"] for agent in agents] == sorted(
        outside_agent_id(agent, model)
        for agent, model in (
            ("langchain_agent", "openai/gpt-oss-120b"),
            ("llm_agent", "azure/gpt-4o-2024-11-20"),
            ("llm_agent", "claude-opus-4-6"),
            ("llm_agent", "gpt-4.1"),
            ("llm_agent", "gpt-4.1-mini-2025-04-14"),
        )
    )
    assert not any(agent["is_registered"] for agent in agents)


def test_the_api_key_of_one_file_reaches_no_file_of_the_workspace(
    imported: Workspace, sources: tuple[Path, ...]
) -> None:
    infos = [json.loads(gzip.decompress(path.read_bytes()))["info"] for path in sources]
    keys = [info[side]["llm_args"].get("api_key") for info in infos for side in ("agent_info", "user_info")]
    secrets = {key.encode() for key in keys if key}
    assert secrets
    written = [path for path in imported.root.rglob("*") if path.is_file()]
    # Sealed files are compressed: their events and texts are looked at below.
    assert not [path for path in written if any(secret in path.read_bytes() for secret in secrets)]
    with duckdb.connect() as connection:
        files = [str(path) for path in snapshot(imported, imported.root / "look").files]
        bodies = connection.execute("select body from read_parquet($1)", [files]).fetchall()
        payloads = [str(path) for path in imported.payload_dir.rglob("*.parquet")]
        texts = connection.execute("select content from read_parquet($1)", [payloads]).fetchall()
    assert not [
        text for (text,) in (*bodies, *texts) if text and any(key in text.encode() for key in secrets)
    ]


def test_a_second_import_changes_nothing(imported: Workspace, sources: tuple[Path, ...]) -> None:
    def lasting() -> dict[Path, bytes]:
        folders = (imported.wal_dir, imported.lake_dir, imported.payload_dir)
        return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}

    before = lasting()
    again = take_in(imported, Intent(format_name="tau2", files=sources))
    assert sum(file.known for file in again.files) == RUNS
    assert sum(file.events_written for file in again.files) == 0
    assert lasting() == before


# The process kills itself at its n-th fdatasync, in the middle of the import.
KILLED = """
import os, signal, sys
left, real = [int(sys.argv.pop(1))], os.fdatasync
def fdatasync(fd):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(fd)
os.fdatasync = fdatasync
from app.cli import main
main()
"""


@pytest.mark.parametrize("survived", [2, 5])
def test_an_import_killed_in_the_middle_and_repeated_gives_the_same_log(
    imported: Workspace, workspace: Workspace, sources: tuple[Path, ...], survived: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(survived), "import", "tau2", *map(str, sources)]
    killed = subprocess.run(command, capture_output=True, check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    whole = event_ids(imported, recorded_via="import:tau2")
    partly = event_ids(workspace, recorded_via="import:tau2")
    assert partly < whole
    take_in(workspace, Intent(format_name="tau2", files=sources))
    assert event_ids(workspace, recorded_via="import:tau2") == whole
    assert told(workspace) == told(imported)


def told(workspace: Workspace) -> list[str]:
    """What the events say, apart from who wrote them when and from the random salt of the texts."""
    files = [str(path) for path in snapshot(workspace, workspace.root / "look").files]
    query = """
        select body from read_parquet($1, hive_partitioning = false)
        where recorded_via = 'import:tau2' and run_id is not null order by event_id
    """
    with duckdb.connect() as connection:
        events = [json.loads(body) for (body,) in connection.execute(query, [files]).fetchall()]
    for event in events:
        for name in ("writer_id", "seq", "recorded_at", "payload_id", "payload_commit"):
            event.pop(name, None)
    return [json.dumps(event, sort_keys=True) for event in events]
