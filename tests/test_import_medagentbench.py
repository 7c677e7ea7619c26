"""MedAgentBench: rounds with their latency, calls of the harness, a summary that says how many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, told, write, write_zip


def task(task_id: str = "task10_1", **changes: Any) -> dict[str, Any]:
    url = "http://fhir/Observation?patient=1"
    return {
        "task_id": task_id,
        "category": "task10",
        "status": "completed",
        "result": "[5]",
        "infra_fail": False,
        "duration_ms": 5552,
        "rounds": 2,
        "prompt": "What is the value?",
        "turns": [
            {"round": 0, "agent_reply": f"GET {url}", "latency_ms": 1182},
            {"round": 1, "agent_reply": "FINISH([5])", "latency_ms": 1208},
        ],
        "history": [
            {"role": "user", "content": "What is the value?"},
            {"role": "agent", "content": f"GET {url}"},
            {"role": "user", "content": "Here is the response"},
            {"role": "agent", "content": "FINISH([5])"},
        ],
        "grade": {"correct": True},
        "correct": True,
        "diagnostics": {
            "provenance": {"model": "claude-haiku-4-5", "captured_at": "2026-08-08T18:55:26+00:00"},
            "tools": {
                "calls": [
                    {
                        "turn": 0,
                        "name": "GET",
                        "arguments": {"url": url},
                        "result": "404",
                        "ok": False,
                        "error": "404",
                    }
                ]
            },
        },
        **changes,
    }


def test_a_task_has_its_turns_with_their_latency_and_an_end_without_a_start(
    workspace: Workspace, tmp_path: Path
) -> None:
    bring_in(workspace, "medagentbench", write(tmp_path / "task10_1.json", task()))
    events = only_run(workspace)
    assert columns(of_type(events, "turn_finished"), "turn_index", "duration_ns", "input_tokens") == [
        (0, 1_182_000_000, None),
        (1, 1_208_000_000, None),
    ]
    assert columns(of_type(events, "tool_call_finished"), "tool_name", "tool_outcome") == [("GET", "failed")]
    assert one(events, "run_requested")["is_time_stated"] is False
    ended = one(events, "run_ended")
    assert (ended["is_time_stated"], ended["occurred_at"]) == (True, "2026-08-08T18:55:26.000000Z")
    assert (ended["machine_ns"], ended["source_end_reason"]) == (5_552_000_000, "completed")
    assert one(events, "outcome_recorded")["is_good"] is True


def test_a_failure_of_the_infrastructure_is_no_verdict_on_the_agent(
    workspace: Workspace, tmp_path: Path
) -> None:
    broken = task(infra_fail=True, status="infra_fail", correct=False)
    bring_in(workspace, "medagentbench", write(tmp_path / "t.json", broken))
    events = only_run(workspace)
    assert not of_type(events, "outcome_recorded")
    assert columns(of_type(events, "run_ended"), "end_state", "error_type") == [
        ("failed", "infrastructure_error")
    ]


def test_the_summary_says_how_many_tasks_there_should_be(workspace: Workspace, tmp_path: Path) -> None:
    summary = {"suite": "medagentbench", "n_tasks_attempted": 3, "n_scored": 3, "status_counts": {}}
    path = write_zip(
        tmp_path / "sweep.zip",
        {
            "SUMMARY.json": summary,
            "tasks/task1_1.json": task("task1_1"),
            "tasks/task1_2.json": task("task1_2"),
        },
    )
    report = bring_in(workspace, "auto", path)
    assert (report.files[0].seen, report.files[0].new) == (2, 2)
    (scan,) = of_type(told(workspace), "source_scanned")
    assert columns([scan], "expected_run_count", "found_run_count", "warnings") == [
        (3, 2, "fewer_runs_than_stated")
    ]
