"""Spans in the log become runs, turns and calls of the warehouse at each build; numbers by hand."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.build import build
from ingest.contract import derived_event_id
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.otlp_spans import TRACE, agent, chat, log, span

AT = dt.datetime(2026, 11, 4, 8, 30, tzinfo=dt.UTC)

RUN = (
    agent(1, "returns bot", at=0, seconds=10),
    chat(2, 100, 20, parent=1, at=0, seconds=2),
    span(
        3,
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "lookup_order",
            "gen_ai.tool.call.id": "c1",
        },
        parent=1,
        at=2,
        seconds=1,
    ),
    chat(4, 130, 30, parent=1, at=3, seconds=4),
)

JUDGED = log(
    "gen_ai.evaluation.result",
    {"gen_ai.evaluation.name": "Relevance", "gen_ai.evaluation.score.value": 4.5},
    of=2,
)
SESSION: dict[str, Any] = {"scope": {"name": "com.anthropic.claude_code.events"}}
PROMPT = {"session.id": "s1", "prompt.id": "p1", "tool_name": "Bash", "tool_use_id": "t1"}
DENIED = (
    log("claude_code.tool_decision", PROMPT | {"decision": "reject", "source": "user_reject"}, **SESSION),
    log("claude_code.tool_result", PROMPT | {"success": "false"}, **SESSION),
)


def store(workspace: Workspace, *spans: dict[str, object], team_id: str | None = "support") -> None:
    """Spans as the receiver stores them."""
    with LogWriter(workspace, recorded_via="otlp", process_name="receiver") as writer:
        writer.append(
            [
                {
                    "event_id": derived_event_id(AT, text),
                    "event_type": "otel_span",
                    "occurred_at": AT,
                    "team_id": team_id,
                    "run_id": f"otel-{TRACE}",
                    "span_json": text,
                }
                for text in (json.dumps(one, sort_keys=True) for one in spans)
            ]
        )


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spans arrive late, out of order and twice, with a broken one between them; then the build."""
    workspace = Workspace.create(tmp_path_factory.mktemp("spans") / "workspace")
    store(workspace, RUN[2], RUN[3], {"not": "a span"})
    store(workspace, RUN[1], RUN[0], RUN[2])
    store(workspace, JUDGED, *DENIED)
    return build(workspace).path


def test_a_run_that_arrived_as_spans_is_one_run_with_its_turns_and_calls(built: Path) -> None:
    found = rows(
        built,
        "select agent_id, team_id, recorded_via, run_status, end_state, turn_count, tool_call_count, "
        "input_tokens, output_tokens, cast(machine_ms as integer), cost_status from fct_runs "
        "where agent_id = 'returns-bot'",
    )
    assert found == [
        ("returns-bot", "support", "otlp", "ended", "completed", 2, 1, 230, 50, 10_000, "unknown")
    ]
    assert rows(built, "select turn_index, input_tokens, requested_model from fct_turns order by 1") == [
        (0, 100, "gpt-4o-mini"),
        (1, 130, "gpt-4o-mini"),
    ]
    assert rows(
        built,
        "select tool_name, tool_outcome, cast(duration_ms as integer) from fct_tool_calls "
        "where agent_id = 'returns-bot'",
    ) == [("lookup_order", "succeeded", 1_000)]


def test_an_agent_that_only_spans_know_is_not_registered(built: Path) -> None:
    assert rows(built, "select agent_id, is_registered from dim_agents order by 1") == [
        ("refund-service", False),
        ("returns-bot", False),
    ]


def test_the_build_counts_stored_events_and_none_that_it_derived(built: Path) -> None:
    # Four spans and one that is none, the one delivered twice counted once; three log records; three writers
    # that open and close.
    assert rows(built, "select event_count from build_info") == [(14,)]


def test_an_evaluation_is_a_verdict_with_its_score(built: Path) -> None:
    sql = "select agent_id, outcome_kind, outcome_name, is_good, score_micro from fct_verdicts"
    assert rows(built, sql) == [("returns-bot", "score", "Relevance", None, 4_500_000)]


def test_a_call_that_a_person_denied_was_not_executed(built: Path) -> None:
    sql = "select tool_name, decision, decider_kind, source_decision, is_rated from fct_approvals"
    assert rows(built, sql) == [("Bash", "rejected", "person", "reject (user_reject)", True)]
    assert rows(built, "select tool_outcome from fct_tool_calls where agent_id = 'refund-service'") == [
        ("denied",)
    ]


def test_a_run_that_only_log_records_tell_of_ends_when_it_was_silent_for_hours(built: Path) -> None:
    sql = "select run_status, end_state from fct_runs where agent_id = 'refund-service'"
    assert rows(built, sql) == [("ended", "completed")]
