"""RunState: decisions by call, for a whole tool, still waiting, and schemas this release does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, told, write, write_lines

ITEM = {"type": "function_call", "call_id": "call_1", "name": "refund", "arguments": '{"order": "A1"}'}
ASKS = {"type": "tool_approval_item", "raw_item": ITEM, "tool_name": "refund"}
ZERO = {"requests": 0, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def state(**changes: Any) -> dict[str, Any]:
    context = {"approvals": {}, "usage": ZERO, "context": {"card": "4111 1111 1111 1111"}}
    return {
        "$schemaVersion": "1.16",
        "current_agent": {"name": "Refund desk"},
        "original_input": "Refund A1",
        "context": {**context, **changes.pop("context", {})},
        "model_responses": [{"response_id": "resp_1", "output": [ITEM], "usage": ZERO}],
        "generated_items": [],
        "trace": {"id": "trace_1", "workflow_name": "Refunds"},
        **changes,
    }


WAITING = state(current_step={"type": "next_step_interruption", "data": {"interruptions": [ASKS]}})


def test_a_call_that_waits_is_an_approval_without_a_decision(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, "auto", write(tmp_path / "state.json", WAITING))
    events = only_run(workspace)
    approval = one(events, "approval_reported")
    assert (approval["tool_name"], approval["call_index"], "decision" in approval) == ("refund", 0, False)
    assert columns(of_type(events, "run_paused"), "pause_reason") == [("approval",)]
    assert one(events, "run_requested")["is_time_stated"] is False
    assert len(of_type(events, "tool_call_requested")) == 1  # said by the answer and by the question
    assert "input_tokens" not in one(events, "turn_finished")  # a counter that counted nothing


def test_a_second_snapshot_brings_the_decision_with_its_words(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, "openai_run_state", write(tmp_path / "state.json", WAITING))
    output = {
        "type": "tool_call_output_item",
        "raw_item": {"type": "function_call_output", "call_id": "call_1", "output": "no"},
    }
    decided = {"rejected": ["call_1"], "approved": [], "rejection_messages": {"call_1": "Denied by release"}}
    later = state(context={"approvals": {"refund": decided}}, generated_items=[output], current_step=None)
    report = bring_in(workspace, "openai_run_state", write(tmp_path / "state.json", later))
    assert (report.files[0].new, report.files[0].completed) == (0, 1)
    events = only_run(workspace)
    asked, answered = of_type(events, "approval_reported")
    assert asked["approval_id"] == answered["approval_id"]
    assert (answered["decision"], answered["decider_kind"], answered["reason"]) == (
        "rejected",
        "person",
        "Denied by release",
    )
    assert one(events, "tool_call_finished")["tool_outcome"] == "denied"
    assert len(of_type(events, "run_resumed")) == 1


def test_a_decision_for_all_calls_of_a_tool_is_one_and_newer_schemas_list_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    standing = {"approved": True, "rejected": ["call_1"], "rejection_messages": {"call_1": "not this one"}}
    newer = state(
        **{"$schemaVersion": "1.21"},
        context={
            "function_tool_approvals": [{"tool_key": "refund", "decision": standing}],
            "hosted_mcp_approvals": [
                {"identity": {"tool_name": "lookup"}, "decision": {"approved": ["mcp_1"], "rejected": []}}
            ],
        },
    )
    bring_in(workspace, "openai_run_state", write(tmp_path / "state.json", newer))
    told_of = of_type(only_run(workspace), "approval_reported")
    assert sorted(columns(told_of, "tool_name", "decision", "source_decision"), key=str) == [
        ("lookup", "approved", None),
        ("refund", "approved", "always approved"),
        ("refund", "rejected", None),
    ]


def test_usage_counts_cached_tokens_inside(workspace: Workspace, tmp_path: Path) -> None:
    usage = {
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 4,
        "total_tokens": 14,
        "input_tokens_details": [{"cached_tokens": 3, "cache_write_tokens": 7}],
    }
    response = {"response_id": "r", "output": [], "usage": usage}
    finished = state(model_responses=[response], current_step={"type": "next_step_final_output"})
    bring_in(workspace, "openai_run_state", write(tmp_path / "state.json", finished))
    events = only_run(workspace)
    turn = one(events, "turn_finished")
    assert columns(
        [turn], "input_tokens", "cache_read_tokens", "cache_write_tokens", "is_cache_in_input"
    ) == [(10, 3, 7, True)]
    assert one(events, "run_ended")["end_state"] == "completed"


def test_a_later_major_schema_is_refused_and_its_content_is_not_in_the_message(
    workspace: Workspace, tmp_path: Path
) -> None:
    future = {"$schemaVersion": "999", "untrusted": "SENTINEL_42"}
    report = bring_in(workspace, "auto", write_lines(tmp_path / "states.jsonl", WAITING, future))
    (reject,) = report.files[0].rejects
    assert "'999'" in reject.reason
    assert "SENTINEL_42" not in reject.reason
    assert report.files[0].new == 1


def test_the_customers_own_context_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, "openai_run_state", write(tmp_path / "state.json", WAITING))
    assert "4111" not in json.dumps(told(workspace))


def test_the_snapshots_of_the_sdks_own_tests_have_their_approvals(workspace: Workspace, shared: Path) -> None:
    report = bring_in(workspace, "auto", shared / "data" / "wire" / "openai_agents_run_state")
    assert (report.files[0].new, report.files[0].quarantined) == (3, 1)
    told_of = of_type(told(workspace), "approval_reported")
    assert sorted(columns(told_of, "tool_name", "decision", "reason"), key=str) == [
        ("historical_approval", None, None),
        ("sensitive_tool", "rejected", "Denied by release reviewer"),
    ]
