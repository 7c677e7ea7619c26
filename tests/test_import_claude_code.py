"""Claude Code: usage that repeats, denials that look like errors, sessions that grow, split and delegate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, runs, texts, told, write, write_lines

DENIAL = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file "
    "edit, the new_string was NOT written to the file). To tell you how to proceed, the user said:\n"
    "use the other file"
)


class Session:
    """Writes the lines of a session, one second apart."""

    def __init__(self, session_id: str = "s1", **common: Any) -> None:
        self._common = {"sessionId": session_id, "slug": "blue-moon", "isSidechain": False, **common}
        self.lines: list[dict[str, Any]] = []

    def _add(self, kind: str, **more: Any) -> None:
        number = len(self.lines)
        self.lines.append(
            {
                **self._common,
                "type": kind,
                "uuid": f"{self._common['sessionId']}-{number}",
                "timestamp": f"2026-01-31T13:00:{number:02d}.000Z",
                **more,
            }
        )

    def user(self, content: object, **more: Any) -> Session:
        self._add("user", message={"role": "user", "content": content}, **more)
        return self

    def answer(self, message_id: str, *blocks: dict[str, Any], output: int = 5, **more: Any) -> Session:
        """One line per content block, each with the usage again, as the program writes them."""
        for place, block in enumerate(blocks, start=1):
            usage = {
                "input_tokens": 3,
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 20,
                "output_tokens": output if place == len(blocks) else 1,
            }
            message = {
                "id": message_id,
                "model": "claude-opus-4-5",
                "role": "assistant",
                "content": [block],
                "stop_reason": None,
                "usage": usage,
            }
            self._add("assistant", message=message, **more)
        return self

    def result(self, call_id: str, content: object = "ok", *, is_error: bool = False, **more: Any) -> Session:
        block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
        return self.user([block], **more)

    def other(self, kind: str, **more: Any) -> Session:
        self._add(kind, **more)
        return self


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str, name: str = "Bash", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def test_usage_that_stands_on_every_line_of_a_message_is_counted_once(
    workspace: Workspace, tmp_path: Path
) -> None:
    session = Session().user("Fix it").answer("m1", text("Looking."), call("t1", command="ls"), output=90)
    session.result("t1").answer("m2", text("Fixed."), output=8)
    bring_in(workspace, "auto", write_lines(tmp_path / "s1.jsonl", *session.lines))
    events = only_run(workspace)
    turns = of_type(events, "turn_finished")
    assert columns(turns, "input_tokens", "output_tokens", "cache_read_tokens", "is_cache_in_input") == [
        (3, 90, 1000, False),
        (3, 8, 1000, False),
    ]
    assert texts(workspace, turns) == ["Looking.", "Fixed."]
    assert columns(of_type(events, "tool_call_requested"), "tool_name", "turn_index") == [("Bash", 0)]
    ended = one(events, "run_ended")
    assert ended["end_state"] == "completed"
    assert "reported_cost_nano_usd" not in ended


def test_a_denial_is_a_decision_and_no_error_and_other_refusals_are_no_persons(
    workspace: Workspace, tmp_path: Path
) -> None:
    session = Session().user("Go")
    results = (
        ("denied", DENIAL),
        ("failed", "<tool_use_error>InputValidationError: Edit failed"),
        ("failed", "Exit code 1"),
        ("refused", "Permission to use WebFetch has been denied."),
    )
    for number, (_, words) in enumerate(results):
        session.answer(f"m{number}", call(f"t{number}"))
        session.result(f"t{number}", [text(words)], is_error=True)
    session.answer("m9", text("I stop."))
    bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *session.lines))
    events = only_run(workspace)
    finished = of_type(events, "tool_call_finished")
    assert columns(finished, "tool_outcome", "tool_error_class") == [
        ("denied", None),
        ("failed", "invalid_args"),
        ("failed", "upstream"),
        ("refused", None),
    ]
    (approval,) = of_type(events, "approval_reported")
    assert columns([approval], "decision", "decider_kind", "tool_name") == [("rejected", "person", "Bash")]
    assert finished[0]["approval_id"] == approval["approval_id"]
    assert "approvals" in one(events, "run_counted")["unstated_counts"]
    assert "use the other file" not in str(events)  # what the person typed is text, not a column


@pytest.mark.parametrize(
    ("words", "is_error", "decision"),
    [("User has approved your plan.", False, "approved"), (DENIAL, True, "rejected")],
)
def test_a_plan_is_approved_or_rejected_by_a_person(
    workspace: Workspace, tmp_path: Path, words: str, is_error: bool, decision: str
) -> None:
    session = Session().user("Plan it").answer("m1", call("t1", "ExitPlanMode", plan="1. …"))
    session.result("t1", words, is_error=is_error)
    bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *session.lines))
    approval = one(only_run(workspace), "approval_reported")
    assert (approval["decision"], approval["approval_rule"]) == (decision, "plan")


def test_only_what_a_person_typed_is_a_prompt(workspace: Workspace, tmp_path: Path) -> None:
    session = Session().user("Start a long conversation").answer("m1", text("Ready."))
    session.user("meta", isMeta=True).user("<command-name>/clear</command-name>")
    session.user("[Request interrupted by user]").user("Summary of before", isCompactSummary=True)
    session.other("system", subtype="compact_boundary", content="Conversation compacted")
    session.other("summary", leafUuid="x").other("file-history-snapshot", snapshot={})
    session.user("Go on").answer("m2", text("Done."))
    bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *session.lines))
    events = only_run(workspace)
    said = of_type(events, "message_recorded")
    assert columns(said, "message_role") == [("user",), ("system",), ("user",)]
    assert texts(workspace, said) == ["Start a long conversation", "Summary of before", "Go on"]
    assert one(events, "run_counted")["user_message_count"] == 2
    assert columns(of_type(events, "intervention_recorded"), "intervention_kind") == [("interrupted",)]


def test_snapshots_of_a_growing_session_add_up_to_the_last_one_in_any_order(
    workspace: Workspace, tmp_path: Path
) -> None:
    session = Session().user("Fix it").answer("m1", text("Looking."), call("t1"), output=90)
    session.result("t1").answer("m2", text("Fixed."), output=8).user("And now?")
    lines = session.lines
    for length in (2, 6, 4, 6, 3):  # the second cuts no message, the first and the last cut one
        bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *lines[:length]))
    grown = {(event["event_type"], event["event_id"]) for event in only_run(workspace)}
    other = Workspace.create(tmp_path / "other")
    bring_in(other, "claude_code", write_lines(tmp_path / "s1.jsonl", *lines[:6]))
    whole = only_run(other)
    assert {(event["event_type"], event["event_id"]) for event in whole} <= grown
    turns = of_type(only_run(workspace), "turn_finished")
    newest = {event["turn_index"]: event["output_tokens"] for event in turns}  # in the order of time
    assert newest == {0: 90, 1: 8}
    assert {event["call_index"] for event in of_type(only_run(workspace), "tool_call_requested")} == {0}


def test_a_torn_last_line_waits_for_the_next_import_and_two_values_on_a_line_are_both_read(
    workspace: Workspace, tmp_path: Path
) -> None:
    first, second, third = Session().user("Fix it").answer("m1", text("A"), text("B")).lines
    path = write_lines(tmp_path / "s1.jsonl", first)
    with path.open("a") as file:
        file.write(json.dumps(second) + json.dumps(third) + "\n" + '{"type": "assistant", "sess')
    report = bring_in(workspace, "claude_code", path)
    assert (report.files[0].new, report.files[0].quarantined) == (1, 0)
    assert texts(workspace, of_type(only_run(workspace), "turn_finished")) == ["A\nB"]


def test_a_damaged_line_in_the_middle_is_kept_with_its_reason_and_costs_one_line(
    workspace: Workspace, tmp_path: Path
) -> None:
    first, second = Session().user("Fix it").answer("m1", text("A")).lines
    report = bring_in(
        workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", first, '{"type": "us', second)
    )
    (reject,) = report.files[0].rejects
    assert (reject.position, report.files[0].new) == (2, 1)
    assert "no valid JSON" in reject.reason


def test_a_subagents_file_is_a_run_delegated_by_its_session(workspace: Workspace, tmp_path: Path) -> None:
    main = (
        Session()
        .user("Explore")
        .answer("m1", call("t1", "Task"))
        .result("t1", "found")
        .answer("m2", text("."))
    )
    side = Session(isSidechain=True, agentId="a7").user("Explore the code").answer("m3", text("src, tests"))
    for number, line in enumerate(side.lines):
        line["uuid"] = f"side-{number}"
    write_lines(tmp_path / "p" / "s1.jsonl", *main.lines)
    write_lines(tmp_path / "p" / "agent-a7.jsonl", *side.lines)
    bring_in(workspace, "auto", tmp_path / "p")
    found = runs(told(workspace))
    assert set(found) == {"s1", "s1/a7"}
    child = one(found["s1/a7"], "run_requested")
    assert child["parent_run_id"] == one(found["s1"], "run_requested")["run_id"]
    assert one(found["s1/a7"], "run_counted")["user_message_count"] == 1


def test_a_session_resumed_under_a_new_id_does_not_count_the_old_one_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    old = Session("s1").user("Fix it").answer("m1", text("Fixed."), output=90)
    new = Session("s2").user("Again").answer("m2", text("Fixed again."), output=8)
    bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *old.lines))
    report = bring_in(workspace, "claude_code", write_lines(tmp_path / "s2.jsonl", *old.lines, *new.lines))
    assert (report.files[0].new, report.files[0].known) == (1, 1)
    found = runs(told(workspace))
    assert [len(of_type(events, "turn_finished")) for events in found.values()] == [1, 1]
    slugs = {one(events, "run_requested")["conversation_id"] for events in found.values()}
    assert slugs == {"blue-moon"}


def test_the_stream_of_the_agent_sdk_has_a_cost_a_duration_and_no_times(
    workspace: Workspace, tmp_path: Path
) -> None:
    message = {
        "id": "m1",
        "model": "claude-test",
        "role": "assistant",
        "content": [call("t1", "Read")],
        "usage": {"input_tokens": 100, "output_tokens": 75},
    }
    stream = [
        {"type": "system", "subtype": "init", "session_id": "q1", "tools": ["Read"]},
        {"type": "assistant", "message": message, "session_id": "q1"},
        {
            "type": "user",
            "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
        },
        {
            "type": "result",
            "subtype": "success",
            "total_cost_usd": 0.0347,
            "duration_ms": 18750,
            "is_error": False,
        },
    ]
    bring_in(workspace, "auto", write(tmp_path / "turns.json", stream))
    events = only_run(workspace)
    assert one(events, "run_requested")["is_time_stated"] is False
    assert one(events, "run_counted")["reported_cost_nano_usd"] == 34_700_000
    ended = one(events, "run_ended")
    assert (ended["machine_ns"], ended["source_end_reason"]) == (18_750_000_000, "success")
    assert one(events, "tool_call_finished")["tool_outcome"] == "succeeded"


def test_what_the_program_wrote_itself_is_no_model_call(workspace: Workspace, tmp_path: Path) -> None:
    session = Session().user("Fix it").answer("m1", text("API Error: 529 overloaded"), isApiErrorMessage=True)
    session.lines[-1]["message"]["model"] = "<synthetic>"
    bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *session.lines))
    events = only_run(workspace)
    assert not of_type(events, "turn_finished")
    assert columns(of_type(events, "run_ended"), "end_state", "error_type") == [("failed", "agent_error")]


def test_a_session_that_waits_for_its_tool_has_no_end(workspace: Workspace, tmp_path: Path) -> None:
    session = Session().user("Fix it").answer("m1", call("t1"))
    bring_in(workspace, "claude_code", write_lines(tmp_path / "s1.jsonl", *session.lines))
    assert not of_type(only_run(workspace), "run_ended")


def test_the_edge_sessions_of_other_projects_read_as_they_should(workspace: Workspace, shared: Path) -> None:
    bring_in(workspace, "auto", shared / "data" / "wire" / "claude_code_fixtures")
    found = runs(told(workspace))
    tokens = {
        name: (
            sum(event["input_tokens"] for event in of_type(events, "turn_finished")),
            sum(event["output_tokens"] for event in of_type(events, "turn_finished")),
        )
        for name, events in found.items()
    }
    # Added up by hand from the files.
    assert tokens == {
        "test-session-004": (300, 80),
        "test-session-004/sidechain-001": (200, 60),
        "test-session-005": (180, 40),
        "session-clear": (180, 80),
        "session-partner": (200, 100),
        "sample-session-id": (630, 265),
    }
