"""Chat logs: which calls are one run, what a request repeats, and what such a log cannot say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SourceError
from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, runs, texts, told, write_lines

TOOL_CALL = {"id": "t1", "type": "function", "function": {"name": "refund", "arguments": '{"order": "A1"}'}}
ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Refund A1"}]
CALLED = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
RETURNED = {"role": "tool", "tool_call_id": "t1", "content": "refunded"}


def exchange(messages: list[Any], answer: dict[str, Any], number: int, **more: Any) -> dict[str, Any]:
    return {
        "request": {"model": "gpt-4.1", "messages": messages},
        "response": {
            "id": f"chatcmpl-{number}",
            "model": "gpt-4.1-2025-04-14",
            "created": 1_790_000_000 + number,
            "choices": [
                {"message": answer, "finish_reason": "tool_calls" if answer.get("tool_calls") else "stop"}
            ],
            "usage": {"prompt_tokens": 100 * number, "completion_tokens": 5},
        },
        **more,
    }


LOOP = (
    exchange(ASKED, CALLED, 1, duration_ms=900),
    exchange([*ASKED, CALLED, RETURNED], {"role": "assistant", "content": "Done."}, 2),
)


def test_a_request_that_repeats_what_was_said_goes_on_and_counts_it_once(
    workspace: Workspace, tmp_path: Path
) -> None:
    other = exchange([{"role": "user", "content": "Hi"}], {"role": "assistant", "content": "Hello"}, 9)
    bring_in(workspace, "auto", write_lines(tmp_path / "log.jsonl", LOOP[0], other, LOOP[1]))
    found = runs(told(workspace))
    assert set(found) == {"chatcmpl-1", "chatcmpl-9"}
    events = found["chatcmpl-1"]
    assert columns(of_type(events, "message_recorded"), "message_role") == [("system",), ("user",)]
    assert columns(of_type(events, "turn_finished"), "input_tokens", "is_cache_in_input") == [
        (100, True),
        (200, True),
    ]
    assert columns(of_type(events, "tool_call_finished"), "tool_name", "tool_outcome") == [
        ("refund", "unknown")
    ]
    assert one(events, "run_ended")["end_state"] == "completed"
    assert one(events, "run_counted")["unstated_counts"] == "tool_errors;other_side_calls;approvals"


def test_equal_conversations_are_two_runs(workspace: Workspace, tmp_path: Path) -> None:
    ping = [{"role": "user", "content": "ping"}]
    pong = {"role": "assistant", "content": "pong"}
    lines = [exchange(ping, pong, number) for number in (1, 2, 3)]
    report = bring_in(workspace, "chat_log", write_lines(tmp_path / "log.jsonl", *lines))
    assert report.files[0].new == 3


def test_a_named_conversation_is_one_run_whatever_was_rewritten_in_between(
    workspace: Workspace, tmp_path: Path
) -> None:
    summary = [{"role": "system", "content": "Summary."}, {"role": "user", "content": "And B2?"}]
    lines = [
        {**LOOP[0], "conversation_id": "c7", "agent": "desk"},
        exchange(summary, {"role": "assistant", "content": "B2 too."}, 2, conversation_id="c7", agent="desk"),
    ]
    bring_in(workspace, "chat_log", write_lines(tmp_path / "log.jsonl", *lines))
    events = only_run(workspace)
    assert one(events, "run_requested")["conversation_id"] == "c7"
    assert one(events, "run_requested")["source_agent"] == "desk"
    said = texts(workspace, of_type(events, "message_recorded"))
    assert said[:2] == ["Be kind.", "Refund A1"]
    assert "And B2?" in said


def test_a_growing_log_adds_the_end_and_only_that(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    bring_in(workspace, "chat_log", write_lines(path, LOOP[0]))
    assert not of_type(only_run(workspace), "run_ended")
    report = bring_in(workspace, "chat_log", write_lines(path, *LOOP))
    assert (report.files[0].new, report.files[0].completed) == (0, 1)
    turns = of_type(only_run(workspace), "turn_finished")
    assert columns(turns, "turn_index") == [(0,), (1,)]


def test_an_error_has_its_class_and_not_its_message(workspace: Workspace, tmp_path: Path) -> None:
    failed = {
        "request": {"model": "gpt-4.1", "messages": ASKED},
        "response": None,
        "error": {"type": "rate_limit_error", "code": "429", "message": "key sk-123 is over its limit"},
        "timestamp": "2026-10-01T10:00:00Z",
    }
    bring_in(workspace, "chat_log", write_lines(tmp_path / "log.jsonl", failed))
    events = only_run(workspace)
    assert one(events, "turn_finished")["error_type"] == "429"
    assert one(events, "run_ended")["end_state"] == "failed"
    assert "sk-123" not in str(events)


def test_a_duration_has_a_unit_in_its_name_or_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    line = {**LOOP[1], "latency": 3.7}
    bring_in(workspace, "chat_log", write_lines(tmp_path / "log.jsonl", line))
    assert "duration_ns" not in one(only_run(workspace), "turn_finished")


def test_a_line_of_another_shape_is_refused_alone_and_a_file_of_them_wholly(
    workspace: Workspace, tmp_path: Path
) -> None:
    report = bring_in(
        workspace, "chat_log", write_lines(tmp_path / "log.jsonl", *LOOP, {"request": {"messages": "none"}})
    )
    assert (report.files[0].new, report.files[0].quarantined) == (1, 1)
    with pytest.raises(SourceError, match="no request with its response"):
        bring_in(workspace, "chat_log", write_lines(tmp_path / "other.jsonl", {"level": "info"}))
