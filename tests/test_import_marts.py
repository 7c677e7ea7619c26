"""Runs of every format in one warehouse, from hand-made files: unknown is NULL, nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.build import build
from ingest.workspace import Workspace
from tests import tau2_files
from tests.imported import bring_in, write, write_lines
from tests.test_import_agentdojo import document
from tests.test_import_auto import one_of_each
from tests.test_import_claude_code import DENIAL, Session, call, text
from tests.test_import_fleetbook import PAY, line
from tests.test_import_inspect import approval, log, sample, tool_event
from tests.test_import_managed_agents import BEFORE, after, answered
from tests.test_import_openai_run_state import WAITING, state


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """One of each format, and what each can tell of persons."""
    folder = tmp_path_factory.mktemp("marts")
    workspace = Workspace.create(folder / "workspace")
    one_of_each(folder / "all")
    bring_in(workspace, "auto", folder / "all")
    _sessions(workspace, folder)
    _decisions(workspace, folder)
    attacked = [document(security=flag, user_task_id=f"t{flag}") for flag in (True, False)]
    plain = document(security=True, user_task_id="none", injection_task_id=None, attack_type=None)
    for number, content in enumerate([*attacked, plain]):
        bring_in(workspace, "auto", write(folder / "dojo" / f"{number}.json", content))
    with duckdb.connect(str(build(workspace).path / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def _sessions(workspace: Workspace, folder: Path) -> None:
    """A session in three snapshots, of which the second cuts a message; its lines share one moment."""
    session = Session("growing").user("Fix it").answer("m1", text("Looking."), call("t1"), output=90)
    session.result("t1").answer("m2", text("Fixed."), output=8)
    for one in session.lines:
        one["timestamp"] = "2026-01-31T13:00:00.000Z"
    for length in (5, 2, 4):
        bring_in(workspace, "claude_code", write_lines(folder / "growing.jsonl", *session.lines[:length]))
    denied = Session("denied").user("Go").answer("d1", call("t1")).result("t1", DENIAL, is_error=True)
    denied.answer("d2", text("I stop."))
    bring_in(workspace, "claude_code", write_lines(folder / "denied.jsonl", *denied.lines))
    resumed = Session("resumed").user("Go").answer("r1", text("Done."))
    bring_in(workspace, "claude_code", write_lines(folder / "resumed.jsonl", *resumed.lines))
    bring_in(workspace, "claude_code", write_lines(folder / "resumed.jsonl", *resumed.user("More").lines))


def _decisions(workspace: Workspace, folder: Path) -> None:
    confirmed = [*BEFORE, answered("allow"), *after(is_error=False)]
    confirmed[0] = [confirmed[0][0], {**confirmed[0][1], "id": "sesn_yes"}]
    bring_in(workspace, "auto", write_lines(folder / "yes.jsonl", *confirmed))
    ruled = sample(approval(2, "approve", "auto"), tool_event(4), id=7)
    bring_in(workspace, "auto", write(folder / "ruled.json", log(ruled)))
    rejected = state(context={"approvals": {"refund": {"rejected": ["call_1"], "approved": []}}})
    rejected["trace"] = {"id": "trace_2"}
    bring_in(workspace, "auto", write(folder / "no.json", rejected))


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query).fetchall()


def test_each_format_has_its_runs_and_they_belong_to_unregistered_agents(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = dict(rows(warehouse, "select recorded_via, count(*) from fct_runs group by all"))
    assert found == {
        "import:tau2": 1,
        "import:tau_bench_v1": 1,
        "import:agentdojo": 4,
        "import:medagentbench": 1,
        "import:inspect": 3,
        "import:swe_agent": 1,
        "import:managed_agents": 2,
        "import:claude_code": 4,
        "import:langfuse": 1,
        "import:openai_run_state": 2,
        "import:chat_log": 1,
        "import:fleetbook": 1,
    }
    assert rows(warehouse, "select count(*) from dim_agents where is_registered or last_run_at is null") == [
        (0,)
    ]


def test_what_a_source_cannot_count_is_unknown(warehouse: duckdb.DuckDBPyConnection) -> None:
    query = """
        select recorded_via, turn_count, tool_call_count, tool_error_count, other_side_tool_call_count,
            approval_count, input_tokens, reported_cost_usd, cost_status
        from fct_runs
        where recorded_via in
            ('import:tau_bench_v1', 'import:swe_agent', 'import:chat_log', 'import:medagentbench')
        order by recorded_via
    """
    assert [tuple(str(cell) for cell in row) for row in rows(warehouse, query)] == [
        ("import:chat_log", "2", "1", "None", "None", "None", "300", "None", "unknown"),
        ("import:medagentbench", "2", "1", "1", "None", "None", "None", "None", "unknown"),
        ("import:swe_agent", "2", "1", "None", "None", "None", "1000", "1.250000000", "exact"),
        ("import:tau_bench_v1", "None", "2", "1", "None", "None", "None", "None", "unknown"),
    ]


def test_a_run_without_times_has_none_anywhere_and_stands_on_the_day_of_its_import(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """
        select is_time_known, requested_at is null, ended_at is null, end_to_end_ms is null,
            run_date is not null, outcome is not null
        from fct_runs where recorded_via = 'import:tau_bench_v1'
    """
    assert rows(warehouse, query) == [(False, True, True, True, True, True)]
    calls = """
        select count(*), count(requested_at), count(call_date) from fct_tool_calls
        where recorded_via = 'import:tau_bench_v1'
    """
    assert rows(warehouse, calls) == [(2, 0, 2)]


def test_a_total_without_its_parts_and_an_attack_are_columns(warehouse: duckdb.DuckDBPyConnection) -> None:
    query = """
        select source_task_id, total_tokens, is_violation, is_verdict_good, round(machine_ms) from fct_runs
        where recorded_via = 'import:agentdojo' order by source_task_id
    """
    assert rows(warehouse, query) == [
        ("none", 22503, None, False, 65250),
        ("tFalse", 22503, False, False, 65250),
        ("tTrue", 22503, True, False, 65250),
        ("user_task_0", 22503, False, False, 65250),
    ]


def test_a_session_that_grew_has_the_numbers_of_its_last_snapshot(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """
        select turn_count, input_tokens, output_tokens, cache_read_tokens, tool_call_count,
            user_message_count, assistant_message_count, run_status
        from fct_runs where source_run_id = 'growing'
    """
    assert rows(warehouse, query) == [(2, 6, 98, 2000, 1, 1, 2, "ended")]
    assert rows(warehouse, "select count(*) from fct_turns where run_id = 'claude_code-growing'") == [(2,)]


def test_a_session_that_went_on_after_its_end_has_not_ended(warehouse: duckdb.DuckDBPyConnection) -> None:
    # Started in January and silent since: by the clock of the log it is lost, not completed.
    query = "select end_state, outcome, user_message_count from fct_runs where source_run_id = 'resumed'"
    assert rows(warehouse, query) == [("lost", "failed", 2)]


def test_a_denial_is_an_intervention_and_neither_an_error_nor_an_executed_call(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """
        select tool_call_count, executed_tool_call_count, tool_error_count, approval_count, outcome
        from fct_runs where source_run_id = 'denied'
    """
    assert rows(warehouse, query) == [(1, 0, 0, None, "intervened")]


def test_only_decisions_of_persons_in_two_sided_records_are_rated(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    query = """
        select recorded_via, approval_status, decider_kind, is_rated, decided_at is not null
        from fct_approvals order by recorded_via, approval_status
    """
    assert rows(warehouse, query) == [
        ("import:claude_code", "rejected", "person", False, True),  # a transcript tells of denials only
        ("import:fleetbook", "approved_changed", "person", True, True),
        ("import:inspect", "approved", "policy", False, True),  # a rule decided
        ("import:managed_agents", "approved", "person", True, True),
        ("import:managed_agents", "waiting", None, False, False),
        ("import:openai_run_state", "rejected", "person", True, False),  # nobody says when
        ("import:openai_run_state", "waiting", None, False, False),
    ]
    assert rows(warehouse, "select sum(decisions), sum(approvals_yes) from rpt_agent_days") == [(3, 2)]


def test_verdicts_stand_beside_success_with_their_origin(warehouse: duckdb.DuckDBPyConnection) -> None:
    query = """
        select recorded_via, outcome_kind, count(*), count(is_good), bool_and(is_run_known)
        from fct_verdicts group by all order by all
    """
    assert rows(warehouse, query) == [
        ("import:agentdojo", "security", 3, 3, True),
        ("import:agentdojo", "task_reward", 4, 4, True),
        ("import:fleetbook", "user_confirmation", 1, 1, True),
        ("import:inspect", "score", 3, 0, True),
        ("import:inspect", "task_reward", 3, 3, True),
        ("import:medagentbench", "task_reward", 1, 1, True),
        ("import:tau2", "task_reward", 1, 1, True),
        ("import:tau2_reviews", "judge", 2, 2, True),
        ("import:tau_bench_v1", "task_reward", 1, 1, True),
    ]


def test_every_file_that_was_read_is_a_scan(warehouse: duckdb.DuckDBPyConnection) -> None:
    query = "select count(*), sum(found_run_count), sum(missing_run_count) from fct_source_scans"
    # 14 of each format, 3 and 2 snapshots of sessions, 1 denied, 3 with decisions, 3 attacks
    assert rows(warehouse, query) == [(26, 26, 0)]


def test_the_two_sides_of_the_hand_made_files_are_what_they_say() -> None:
    # The numbers above are worked out from these.
    assert PAY["approval"]["decision"] == "approved_changed"
    assert line()["steps"][2] is PAY
    assert tau2_files.GOOD["reward_info"] == {"reward": 1.0}
    assert WAITING["trace"] == {"id": "trace_1", "workflow_name": "Refunds"}
