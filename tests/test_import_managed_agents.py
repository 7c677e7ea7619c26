"""Managed agents: questions that people answered, calls they denied, and time that was theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SourceError
from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, runs, texts, told, write_lines

CREATE = "client.beta.sessions.create"
SEND = "client.beta.sessions.events.send"
STREAM = "client.beta.sessions.events.stream"
SESSION = {"id": "sesn_1", "agent": {"name": "Refund desk", "model": {"id": "claude-sonnet-5"}}}


def event(kind: str, event_id: str, second: int, **more: Any) -> list[Any]:
    return [STREAM, {"type": kind, "id": event_id, "processed_at": f"2026-07-06T16:00:{second:02d}Z", **more}]


def said(kind: str, event_id: str, second: int, text: str) -> list[Any]:
    return event(kind, event_id, second, content=[{"type": "text", "text": text}])


USAGE = {
    "input_tokens": 2,
    "output_tokens": 46,
    "cache_read_input_tokens": 7126,
    "cache_creation_input_tokens": 9,
}
BEFORE = [
    [CREATE, SESSION],
    [
        SEND,
        [
            "sesn_1",
            {"events": [{"type": "user.message", "content": [{"type": "text", "text": "Refund A1"}]}]},
        ],
    ],
    event("session.status_running", "e1", 0),
    said("user.message", "e2", 0, "Refund A1"),
    event("span.model_request_start", "e3", 1),
    event("agent.tool_use", "call_1", 3, name="refund", input={"order": "A1"}, evaluated_permission="ask"),
    event("span.model_request_end", "e4", 3, model_request_start_id="e3", model_usage=USAGE, is_error=False),
    event("session.status_idle", "e5", 4, stop_reason={"type": "requires_action", "event_ids": ["call_1"]}),
]


def answered(result: str, **more: Any) -> list[Any]:
    return event("user.tool_confirmation", "e6", 34, tool_use_id="call_1", result=result, **more)


def after(*, is_error: bool) -> list[list[Any]]:
    return [
        event("session.status_running", "e7", 35),
        event(
            "agent.tool_result",
            "e8",
            36,
            tool_use_id="call_1",
            is_error=is_error,
            content=[{"type": "text", "text": "rejected" if is_error else "refunded"}],
        ),
        event("span.model_request_start", "e9", 37),
        said("agent.message", "e10", 38, "That is that."),
        event("span.model_request_end", "e11", 38, model_request_start_id="e9", model_usage=USAGE),
        event("session.status_idle", "e12", 39, stop_reason={"type": "end_turn"}),
    ]


@pytest.mark.parametrize(
    ("result", "decision", "outcome"), [("allow", "approved", "succeeded"), ("deny", "rejected", "denied")]
)
def test_a_confirmation_is_a_decision_of_a_person_and_a_denial_no_tool_error(
    workspace: Workspace, tmp_path: Path, result: str, decision: str, outcome: str
) -> None:
    lines = [*BEFORE, answered(result, deny_message="not today"), *after(is_error=result == "deny")]
    bring_in(workspace, "auto", write_lines(tmp_path / "session.jsonl", *lines))
    events = only_run(workspace)
    asked, decided = of_type(events, "approval_reported")
    assert "decision" not in asked
    assert (decided["decision"], decided["decider_kind"], decided["source_decision"]) == (
        decision,
        "person",
        result,
    )
    assert (asked["occurred_at"][17:19], decided["occurred_at"][17:19]) == ("03", "34")
    finished = one(events, "tool_call_finished")
    assert (finished["tool_outcome"], finished.get("tool_error_class")) == (outcome, None)
    assert finished["approval_id"] == asked["approval_id"] == decided["approval_id"]


def test_machine_time_leaves_out_the_wait_for_the_person(workspace: Workspace, tmp_path: Path) -> None:
    lines = [*BEFORE, answered("allow"), *after(is_error=False)]
    bring_in(workspace, "managed_agents", write_lines(tmp_path / "s.jsonl", *lines))
    events = only_run(workspace)
    # 0 to 4 s, a wait of 31 s, 35 to 39 s.
    assert one(events, "run_ended")["machine_ns"] == 8_000_000_000
    assert columns(of_type(events, "run_paused"), "pause_reason") == [("approval",)]
    assert len(of_type(events, "run_resumed")) == 1


def test_a_wait_for_the_clients_own_tool_is_machine_time(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        [CREATE, SESSION],
        event("session.status_running", "e1", 0),
        event("agent.custom_tool_use", "call_1", 1, name="weather", input={}),
        event(
            "session.status_idle", "e2", 2, stop_reason={"type": "requires_action", "event_ids": ["call_1"]}
        ),
        event("user.custom_tool_result", "e3", 8, custom_tool_use_id="call_1", is_error=False, content=[]),
        event("session.status_running", "e4", 9),
        event("session.status_idle", "e5", 10, stop_reason={"type": "end_turn"}),
    ]
    bring_in(workspace, "managed_agents", write_lines(tmp_path / "s.jsonl", *lines))
    events = only_run(workspace)
    assert one(events, "run_ended")["machine_ns"] == 10_000_000_000
    assert not of_type(events, "run_paused")


def test_usage_has_cached_tokens_beside_the_input_and_messages_are_the_turns_text(
    workspace: Workspace, tmp_path: Path
) -> None:
    lines = [*BEFORE, answered("allow"), *after(is_error=False)]
    bring_in(workspace, "managed_agents", write_lines(tmp_path / "s.jsonl", *lines))
    events = only_run(workspace)
    turns = of_type(events, "turn_finished")
    assert columns(turns, "input_tokens", "cache_read_tokens", "cache_write_tokens", "is_cache_in_input") == [
        (2, 7126, 9, False),
        (2, 7126, 9, False),
    ]
    assert texts(workspace, turns) == ["That is that."]
    assert (one(events, "run_requested")["source_agent"]) == "Refund desk"
    assert one(events, "run_counted")["user_message_count"] == 1  # sent and streamed, said once


def test_a_session_that_waits_has_no_end_and_the_next_snapshot_adds_the_rest(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "s.jsonl"
    bring_in(workspace, "managed_agents", write_lines(path, *BEFORE))
    assert not of_type(only_run(workspace), "run_ended")
    whole = [*BEFORE, answered("deny"), *after(is_error=True)]
    report = bring_in(workspace, "managed_agents", write_lines(path, *whole))
    assert (report.files[0].completed, report.files[0].new) == (1, 0)
    events = only_run(workspace)
    assert [event.get("decision") for event in of_type(events, "approval_reported")] == [None, "rejected"]
    assert len(of_type(events, "tool_call_requested")) == 1
    assert len(of_type(events, "run_ended")) == 1
    again = bring_in(workspace, "managed_agents", write_lines(path, *whole))
    assert again.files[0].events_written == 0


def test_plain_events_and_events_that_came_twice_are_read(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        line[1] for line in [*BEFORE[2:], BEFORE[3], BEFORE[5], answered("allow"), *after(is_error=False)]
    ]
    bring_in(workspace, "auto", write_lines(tmp_path / "s.jsonl", *lines))
    events = only_run(workspace)
    assert one(events, "run_requested")["source_run_id"] == "e1"
    assert len(of_type(events, "tool_call_requested")) == 1
    assert one(events, "run_counted")["user_message_count"] == 1


def test_an_answer_that_is_neither_yes_nor_no_refuses_the_run(workspace: Workspace, tmp_path: Path) -> None:
    report = bring_in(
        workspace, "managed_agents", write_lines(tmp_path / "s.jsonl", *BEFORE, answered("maybe"))
    )
    assert report.files[0].quarantined == 1
    assert "'maybe'" in report.files[0].rejects[0].reason


def test_two_sessions_in_a_file_are_two_runs_and_no_session_is_an_error(
    workspace: Workspace, tmp_path: Path
) -> None:
    other = [[CREATE, {**SESSION, "id": "sesn_2"}], event("session.status_running", "f1", 50)]
    bring_in(workspace, "managed_agents", write_lines(tmp_path / "s.jsonl", *BEFORE, *other))
    assert set(runs(told(workspace))) == {"sesn_1", "sesn_2"}
    with pytest.raises(SourceError, match="no event of a managed agent"):
        bring_in(workspace, "managed_agents", write_lines(tmp_path / "n.jsonl", {"type": "user"}))
