"""The source of the warehouse: stored spans as Arrow tables with a schema that only grows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from ingest.contract import arrow_schema
from ingest.dialects.aliases import MAPPING_VERSION
from ingest.dialects.rows import Arrived, mapped_rows
from ingest.dialects.schemas import (
    APPROVAL_SCHEMA,
    RUN_SCHEMA,
    TOOL_CALL_SCHEMA,
    TURN_SCHEMA,
    VERDICT_SCHEMA,
)
from tests.otlp_spans import START, TRACE, agent, chat, span, tool

RUN = [
    agent(1, "refund-agent", seconds=9),
    chat(
        2,
        100,
        50,
        parent=1,
        at=1,
        attributes={
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.usage.reasoning.output_tokens": 20,
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.cost": 0.001,
            "user.id": "jon-vass",
        },
    ),
    tool(3, parent=1, at=3, status={"code": 2}),
]


def stored(raw: dict[str, Any]) -> str:
    return json.dumps(raw)


def test_the_columns_are_these_and_in_this_order() -> None:
    # Columns are only added: a released one keeps its name, its place and its meaning.
    assert " ".join(RUN_SCHEMA.names) == (
        "run_id team_id agent_id recorded_via is_demo mapping_version parent_run_id root_run_id "
        "is_delegated conversation_id actor_id trace_id token_id source_agent source_domain "
        "source_name dialect requested_at ended_at last_seen_at end_state error_type machine_ns "
        "input_tokens output_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens "
        "reasoning_tokens is_cache_in_input reported_cost_nano_usd turn_count tool_call_count "
        "retrieval_count span_count is_log_only"
    )
    assert " ".join(TURN_SCHEMA.names) == (
        "run_id team_id agent_id recorded_via is_demo mapping_version turn_index attempt provider_name "
        "requested_model served_model response_id requested_at finished_at input_tokens output_tokens "
        "cache_read_tokens cache_write_tokens cache_write_1h_tokens reasoning_tokens is_cache_in_input "
        "reported_cost_nano_usd finish_reason error_type duration_ns payload_id trace_id span_id dialect"
    )
    assert " ".join(TOOL_CALL_SCHEMA.names) == (
        "run_id team_id agent_id recorded_via is_demo mapping_version call_index turn_index tool_call_id "
        "tool_name called_by requested_at finished_at tool_outcome tool_error_class error_type duration_ns "
        "payload_id trace_id span_id dialect"
    )


def test_columns_that_the_event_contract_has_too_are_of_its_type() -> None:
    contract = arrow_schema()
    shared = {
        field.name: field.type
        for schema in (RUN_SCHEMA, TURN_SCHEMA, TOOL_CALL_SCHEMA)
        for field in schema
        if field.name in contract.names
    }
    assert len(shared) > 30
    assert {name: contract.field(name).type for name in shared} == shared


def test_a_run_becomes_rows_with_the_words_and_units_of_the_contract() -> None:
    envelope = {"team_id": "support", "token_id": "ab12", "payload_id": "p202611-1"}
    tables = mapped_rows(Arrived(span_json=stored(raw), **envelope) for raw in RUN)  # type: ignore[arg-type]
    (run,) = tables.runs.to_pylist()
    (turn,) = tables.turns.to_pylist()
    (call,) = tables.tool_calls.to_pylist()
    second = dt.timedelta(seconds=1)
    start = dt.datetime.fromtimestamp(START // 10**9, dt.UTC)
    told = {name: value for name, value in run.items() if value is not None}
    assert told == {
        "run_id": f"otel-{TRACE}",
        "root_run_id": f"otel-{TRACE}",
        "trace_id": TRACE,
        "team_id": "support",
        "token_id": "ab12",
        "agent_id": "refund-agent",
        "source_agent": "refund-agent",
        "source_domain": "refund-service",
        "source_name": "span",
        "actor_id": "jon-vass",
        "recorded_via": "otlp",
        "is_demo": False,
        "is_delegated": False,
        "is_cache_in_input": True,
        "mapping_version": MAPPING_VERSION,
        "dialect": "otel_genai",
        "requested_at": start,
        "ended_at": start + 9 * second,
        "last_seen_at": start + 9 * second,
        "end_state": "completed",
        "machine_ns": 9 * 10**9,
        "turn_count": 1,
        "tool_call_count": 1,
        "retrieval_count": 0,
        "span_count": 3,
        "is_log_only": False,
    }
    assert {name: turn[name] for name in TURN_SCHEMA.names[6:28]} == {
        "turn_index": 0,
        "attempt": 1,
        "provider_name": "openai",
        "requested_model": "gpt-4o-mini",
        "served_model": "gpt-4o-mini-2024-07-18",
        "response_id": None,
        "requested_at": start + second,
        "finished_at": start + 2 * second,
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_tokens": 60,
        "cache_write_tokens": None,
        "cache_write_1h_tokens": None,
        "reasoning_tokens": 20,
        "is_cache_in_input": True,
        "reported_cost_nano_usd": 1_000_000,
        "finish_reason": None,
        "error_type": None,
        "duration_ns": 10**9,
        "payload_id": "p202611-1",
        "trace_id": TRACE,
        "span_id": f"{2:016x}",
    }
    assert (call["tool_name"], call["tool_outcome"], call["tool_error_class"], call["error_type"]) == (
        "lookup_order",
        "failed",
        "unclassified",
        "_OTHER",
    )
    assert (call["turn_index"], call["called_by"], call["team_id"]) == (0, "agent", "support")


def test_what_is_no_span_is_left_out_and_nothing_makes_empty_tables() -> None:
    tables = mapped_rows(["", "[1]", '{"a":', "null", stored(span(1))])
    assert [table.num_rows for table in tables] == [0, 0, 0, 0, 0]
    assert [table.schema for table in tables] == [
        RUN_SCHEMA,
        TURN_SCHEMA,
        TOOL_CALL_SCHEMA,
        VERDICT_SCHEMA,
        APPROVAL_SCHEMA,
    ]


def test_a_run_belongs_to_the_team_that_sent_its_own_span() -> None:
    sent = [
        Arrived(span_json=stored(agent(1, "triage", seconds=9)), team_id="support"),
        Arrived(span_json=stored(chat(2, parent=1)), team_id="support"),
        Arrived(span_json=stored(agent(3, "billing", parent=1)), team_id="finance"),
        Arrived(span_json=stored(chat(4, parent=3)), team_id="finance"),
    ]
    rows = mapped_rows(reversed(sent)).runs.to_pylist()
    assert [(row["agent_id"], row["team_id"], row["is_delegated"]) for row in rows] == [
        ("triage", "support", False),
        ("billing", "finance", True),
    ]
