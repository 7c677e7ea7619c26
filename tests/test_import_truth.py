"""Every real file beside this checkout, imported by content alone: the warehouse agrees with its truth.

The truth tables were computed with plain Python from the raw files, without this product. An empty cell there
means that the source does not say; here it has to be NULL. Counts, tokens and money must be equal; seconds
and rates are compared to the six decimals of the tables.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.build import build
from ingest.importers.intake import IntakeReport, Intent, take_in
from ingest.reader import event_ids
from ingest.workspace import Workspace

Row = dict[str, str]
RUNS = 1023
REVIEWS = 50
SOURCES = (
    "agentdojo_drift",
    "anthropic_managed_agents",
    "inspect",
    "medagentbench",
    "swe_agent",
    "tau2",
    "tau_bench_v1",
)
FORMATS = {
    "agentdojo_drift": "agentdojo",
    "anthropic_managed_agents": "managed_agents",
    "medagentbench": "medagentbench",
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> tuple[Workspace, IntakeReport]:
    workspace = Workspace.create(tmp_path_factory.mktemp("truth") / "workspace")
    return workspace, take_in(workspace, Intent(format_name="auto", files=(shared / "data" / "real",)))


@pytest.fixture(scope="module")
def warehouse(imported: tuple[Workspace, IntakeReport]) -> Iterator[duckdb.DuckDBPyConnection]:
    path = build(imported[0]).path / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def truth(shared: Path, name: str) -> list[Row]:
    with (shared / "data" / "real" / "truth" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = warehouse.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def same(ours: object, cell: str, tolerance: str = "0") -> bool:
    """True when both are unknown, or differ by at most ``tolerance``."""
    if ours is None or cell == "":
        return ours is None and cell == ""
    return abs(Decimal(str(ours)) - Decimal(cell)) <= Decimal(tolerance)


def at(moment: dt.datetime | None, cell: str) -> bool:
    """True when both are unknown or the same instant; times without zone are UTC."""
    if moment is None or cell == "":
        return moment is None and cell == ""
    expected = dt.datetime.fromisoformat(cell)
    return moment == (expected if expected.tzinfo else expected.replace(tzinfo=dt.UTC))


def file_of(row: Row) -> str:
    """The file on disk of a truth row; runs in a zip are ``folder/name.zip!path/inside``."""
    return row["file"].split("/", 1)[1].split("!")[0]


RUN_COLUMNS = {
    "user_msgs": "user_message_count",
    "assistant_msgs": "assistant_message_count",
    "llm_calls": "turn_count",
    "tool_calls": "tool_call_count",
    "tool_results": "tool_result_count",
    "other_side_tool_calls": "other_side_tool_call_count",
    "other_side_tool_errors": "other_side_tool_error_count",
    "tool_errors": "tool_error_count",
    "tokens_in": "input_tokens",
    "tokens_out": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "total_tokens": "total_tokens",
    "cost_usd": "reported_cost_usd",
    "other_side_cost_usd": "other_side_cost_usd",
    "success": "is_verdict_good",
    "violation": "is_violation",
    "latency_s": "latency_s",
    "approvals_asked": "approval_count",
    "approvals_yes": "approvals_yes",
    "approvals_no": "approvals_no",
}
ROUNDED = {"cost_usd": "0.000000001", "other_side_cost_usd": "0.000000001", "latency_s": "0.000001"}
RUNS_QUERY = """
    select
        fct_runs.* replace (
            cast(is_verdict_good as int) as is_verdict_good,
            cast(is_violation as int) as is_violation
        ),
        machine_ms / 1000 as latency_s,
        case when approval_count is not null then coalesce(approved.approvals_yes, 0) end as approvals_yes,
        case when approval_count is not null then coalesce(approved.approvals_no, 0) end as approvals_no
    from fct_runs
    left join (
        select
            run_id,
            count(*) filter (where decision <> 'rejected') as approvals_yes,
            count(*) filter (where decision = 'rejected') as approvals_no
        from fct_approvals group by run_id
    ) as approved on approved.run_id = fct_runs.run_id
"""


def differences(ours: dict[str, Any], expected: Row, columns: dict[str, str]) -> list[str]:
    return [
        f"{name}: ours {ours[mine]}, truth {expected[name] or 'unknown'}"
        for name, mine in columns.items()
        if not same(ours[mine], expected[name], ROUNDED.get(name, "0"))
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_every_run_has_the_numbers_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path, source: str
) -> None:
    via = f"import:{FORMATS.get(source, source)}"
    found = {
        (row["source_file"], row["source_run_id"]): row
        for row in rows(warehouse, RUNS_QUERY)
        if row["recorded_via"] == via
    }
    expected = [row for row in truth(shared, "runs.csv") if row["source"] == source]
    assert len(expected) == len(found)
    for row in expected:
        ours = found[file_of(row), row["run_id"]]
        assert (ours["source_agent"], ours["model_name"] or "", ours["source_domain"]) == (
            row["agent"],
            row["model"],
            row["domain"],
        )
        assert (ours["source_task_id"] or "") == row["task_id"]
        assert (ours["source_end_reason"] or "") == row["end_reason"]
        assert at(ours["requested_at"], row["started_at"]), row
        assert at(ours["ended_at"], row["ended_at"]), row
        assert not differences(ours, row, RUN_COLUMNS), (row["file"], row["run_id"])


def test_every_run_and_review_of_the_folder_came_in(imported: tuple[Workspace, IntakeReport]) -> None:
    (report,) = imported[1].files
    assert (report.seen, report.new, report.quarantined) == (RUNS + REVIEWS, RUNS + REVIEWS, 0)


def test_runs_without_a_time_have_none_and_stand_on_the_day_of_their_import(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    (ours,) = rows(
        warehouse,
        """
        select count(*) as runs, count(requested_at) as requested, count(ended_at) as ended,
            count(end_to_end_ms) as lengths, count(waiting_ms) as waits, count(run_date) as days
        from fct_runs where not is_time_known and recorded_via <> 'import:medagentbench'
        """,
    )
    assert ours == {"runs": 658, "requested": 0, "ended": 0, "lengths": 0, "waits": 0, "days": 658}


SUMMARY = """
    select
        source_file,
        count(*) as runs,
        sum(user_message_count) as user_msgs,
        sum(assistant_message_count) as assistant_msgs,
        sum(turn_count) as llm_calls,
        sum(tool_call_count) as tool_calls,
        sum(tool_error_count) as tool_errors,
        sum(other_side_tool_call_count) as other_side_tool_calls,
        sum(other_side_tool_error_count) as other_side_tool_errors,
        sum(input_tokens) as tokens_in,
        sum(output_tokens) as tokens_out,
        sum(cache_read_tokens) as cache_read,
        sum(cache_write_tokens) as cache_write,
        sum(total_tokens) as total_tokens,
        count(reported_cost_usd) as runs_with_cost,
        sum(reported_cost_usd) as cost_usd,
        count(*) filter (reported_cost_usd = 0) as runs_with_zero_cost,
        sum(other_side_cost_usd) as other_side_cost_usd,
        count(*) filter (has_verdict) as runs_with_outcome,
        count(*) filter (is_verdict_good) as successes,
        count(machine_ms) as runs_with_latency,
        avg(machine_ms) / 1000 as lat_mean_s,
        quantile_cont(machine_ms, 0.5) / 1000 as lat_p50_cont_s,
        quantile_cont(machine_ms, 0.95) / 1000 as lat_p95_cont_s,
        quantile_disc(machine_ms, 0.5) / 1000 as lat_p50_disc_s,
        quantile_disc(machine_ms, 0.95) / 1000 as lat_p95_disc_s,
        max(machine_ms) / 1000 as lat_max_s,
        sum(approval_count) as approvals_asked
    from fct_runs group by source_file
"""
# A sum over nothing is empty in ours; the tables write 0 for two of them.
ZERO_FOR_NOTHING = ("successes", "tool_errors")


def test_every_file_has_the_numbers_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    ours = {row["source_file"]: row for row in rows(warehouse, SUMMARY)}
    expected = truth(shared, "summary_by_file.csv")
    assert len(expected) == len(ours)
    for row in expected:
        file = ours[file_of(row)]
        for name, value in file.items():
            if name == "source_file" or (name in ZERO_FOR_NOTHING and row[name] == "" and value in (0, None)):
                continue
            assert same(value, row[name], "0.000001"), (row["file"], name, value, row[name])


def test_every_tool_has_the_calls_and_errors_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = """
        select source_file, called_by, tool_name, count(*) as calls, count(*) filter (is_error) as errors
        from fct_tool_calls inner join fct_runs using (run_id)
        where fct_tool_calls.recorded_via <> 'import:swe_agent' group by all
    """
    ours = {
        (row["source_file"], row["called_by"], row["tool_name"]): (row["calls"], row["errors"])
        for row in rows(warehouse, query)
    }
    expected = Counter[tuple[str, str, str]]()
    errors = Counter[tuple[str, str, str]]()
    for row in truth(shared, "tools.csv"):
        side = "agent" if row["side"] == "agent" else "user"
        expected[file_of(row), side, row["tool"]] += int(row["calls"])
        errors[file_of(row), side, row["tool"]] += int(row["errors"])
    assert ours == {key: (calls, errors[key]) for key, calls in expected.items()}


def test_every_turn_has_the_latency_of_its_truth_row(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = """
        select source_file, source_run_id, turn_index, requested_model, duration_ms / 1000 as latency_s
        from fct_turns inner join fct_runs using (run_id)
        where fct_turns.recorded_via = 'import:medagentbench'
    """
    ours = {
        (row["source_file"], row["source_run_id"], row["turn_index"]): row for row in rows(warehouse, query)
    }
    expected = truth(shared, "turn_latency.csv")
    assert len(expected) == len(ours) == 130
    for row in expected:
        turn = ours[file_of(row), row["run_id"], int(row["round"])]
        assert turn["requested_model"] == row["model"]
        assert same(turn["latency_s"], row["latency_s"])


def test_calls_results_and_repeated_ids_are_those_of_the_truth_table(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = """
        select
            fct_runs.source_file, fct_runs.source_run_id,
            count(call_index) as calls,
            count(tool_outcome) + any_value(unmatched_result_count) as results,
            count(call_index) - count(tool_outcome) as calls_without_result,
            any_value(unmatched_result_count) as results_without_call,
            count(tool_call_id) - count(distinct tool_call_id) as repeated_call_ids
        from fct_runs left join fct_tool_calls using (run_id)
        where fct_runs.recorded_via = 'import:tau2' group by all
    """
    ours = {(row.pop("source_file"), row.pop("source_run_id")): row for row in rows(warehouse, query)}
    expected = truth(shared, "completeness.csv")
    assert len(expected) == len(ours)
    for row in expected:
        counts = {name: int(cell) for name, cell in row.items() if name not in ("file", "run_id")}
        assert ours[file_of(row), row["run_id"]] == counts, row


def test_every_review_is_a_verdict_beside_the_reward(
    warehouse: duckdb.DuckDBPyConnection, shared: Path
) -> None:
    query = """
        select run_id, is_good, is_run_known, judged_at, recorded_via from fct_verdicts
        where outcome_kind = 'judge'
    """
    ours = {row["run_id"]: row for row in rows(warehouse, query)}
    expected = truth(shared, "approvals.csv")
    assert len(ours) == len(expected) == REVIEWS
    for row in expected:
        verdict = ours[f"tau2-{row['run_id']}"]
        assert verdict["is_good"] == (row["decision"] == "pass")
        assert verdict["is_run_known"]
        assert verdict["recorded_via"] == "import:tau2_reviews"
    differing = rows(
        warehouse,
        """
        select run_id from fct_runs inner join fct_verdicts using (run_id)
        where outcome_kind = 'judge' and is_good <> is_verdict_good
        """,
    )
    rewarded = {row["run_id"]: row["success"] == "1" for row in truth(shared, "runs.csv")}
    assert {row["run_id"].removeprefix("tau2-") for row in differing} == {
        row["run_id"] for row in expected if (row["decision"] == "pass") != rewarded[row["run_id"]]
    }


def test_a_header_that_claims_more_samples_than_its_file_holds_is_told(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """
        select source_file, expected_run_count, found_run_count, missing_run_count from fct_source_scans
        where warnings like '%fewer_runs_than_stated%' order by source_file
    """
    assert [tuple(row.values()) for row in rows(warehouse, query)] == [
        ("intercode_ctf_gpt-4o.eval", 790, 15, 775),
        ("log_tool_call_error.json.gz", 4, 1, 3),
    ]


def test_placeholder_times_and_free_tokens_are_told(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = {
        row["source_file"]: row["warnings"]
        for row in rows(warehouse, "select source_file, warnings from fct_source_scans")
    }
    assert found["toolorchestra_airline.json.gz"] == "same_start_in_all_runs;same_duration_in_all_runs"
    assert found["gpt-4.1_airline.json.gz"] is None


def test_a_cost_of_zero_without_a_price_is_unknown(warehouse: duckdb.DuckDBPyConnection) -> None:
    query = """
        select distinct recorded_via, cost_status from fct_runs where reported_cost_usd = 0 order by all
    """
    assert [tuple(row.values()) for row in rows(warehouse, query)] == [
        ("import:swe_agent", "unknown"),
        ("import:tau2", "unknown"),
    ]


def test_attacks_that_were_tried_are_judged_and_only_those(warehouse: duckdb.DuckDBPyConnection) -> None:
    query = """
        select source_domain, count(*) as runs, count(is_violation) as judged,
            count(*) filter (is_violation) as violations
        from fct_runs where recorded_via = 'import:agentdojo' group by all order by all
    """
    # In shopping 20 runs had no injection; their constant "security: true" would be 20 false incidents.
    assert [tuple(row.values()) for row in rows(warehouse, query)] == [
        ("banking", 144, 144, 7),
        ("shopping", 200, 180, 3),
        ("slack", 105, 105, 1),
    ]


def test_a_second_import_of_everything_adds_nothing(
    imported: tuple[Workspace, IntakeReport], shared: Path
) -> None:
    workspace, _ = imported
    vias = ("agentdojo", "inspect", "managed_agents", "medagentbench", "swe_agent", "tau2", "tau_bench_v1")
    before = {via: event_ids(workspace, recorded_via=f"import:{via}") for via in vias}
    again = take_in(workspace, Intent(format_name="auto", files=(shared / "data" / "real",)))
    assert sum(file.events_written for file in again.files) == 0
    assert sum(file.known for file in again.files) == RUNS + REVIEWS
    assert {via: event_ids(workspace, recorded_via=f"import:{via}") for via in vias} == before
