"""SWE-agent: executed actions are the calls, running totals are not read, zeros of a replay stay zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, texts, told, write

SECRET = "sk-in-the-replay-config"


def step(action: str, observation: str = "ok") -> dict[str, Any]:
    return {
        "action": action,
        "observation": observation,
        "response": f"I run {action.split()[0]}.",
        "state": "{}",
    }


def trajectory(*steps: dict[str, Any], **info: Any) -> dict[str, Any]:
    stats = {
        "total_cost": 99.5,  # runs on over all instances of the batch
        "instance_cost": 1.25,
        "tokens_sent": 1000,
        "tokens_received": 50,
        "api_calls": 2,
    }
    return {
        "environment": "swe_main",
        "trajectory": list(steps),
        "history": [
            {"role": "system", "content": "You are an engineer.", "agent": "main"},
            {"role": "user", "content": "Fix the bug.", "agent": "main"},
            *({"role": "assistant", "content": "…", "agent": "main"} for _ in steps),
        ],
        "info": {"exit_status": "submitted", "submission": "diff", "model_stats": stats, **info},
        "replay_config": {"agent": {"model": {"name": "gpt-4o", "api_key": SECRET}}},
    }


def test_actions_are_calls_whose_success_nobody_states(workspace: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "bug-1.traj.gz", trajectory(step("open file.py"), step("submit")))
    bring_in(workspace, "swe_agent", path)
    events = only_run(workspace)
    requested = one(events, "run_requested")
    assert (requested["source_run_id"], requested["requested_model"]) == ("bug-1", "gpt-4o")
    assert columns(of_type(events, "tool_call_finished"), "tool_name", "tool_outcome") == [
        ("open", "unknown"),
        ("submit", "unknown"),
    ]
    assert "tool_errors" in one(events, "run_counted")["unstated_counts"]
    written = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_the_cost_is_of_the_instance_and_not_the_running_total(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, "swe_agent", write(tmp_path / "a.traj", trajectory(step("submit"))))
    counted = one(only_run(workspace), "run_counted")
    assert counted["reported_cost_nano_usd"] == 1_250_000_000
    assert columns([counted], "turn_count", "input_tokens", "output_tokens") == [(2, 1000, 50)]


def test_a_replayed_demonstration_states_zeros_and_names_no_model(
    workspace: Workspace, tmp_path: Path
) -> None:
    zeros = dict.fromkeys(("total_cost", "instance_cost", "tokens_sent", "tokens_received", "api_calls"), 0)
    bring_in(
        workspace, "swe_agent", write(tmp_path / "a.traj", trajectory(step("submit"), model_stats=zeros))
    )
    events = only_run(workspace)
    assert columns(of_type(events, "run_counted"), "turn_count", "input_tokens") == [(0, 0)]
    assert "requested_model" not in one(events, "run_requested")


def test_a_history_without_a_trajectory_executed_nothing_and_has_no_end(
    workspace: Workspace, tmp_path: Path
) -> None:
    history = trajectory(step("x"))["history"]
    call = {"function": {"name": "find", "arguments": "{}"}, "id": "c"}
    history[-1]["tool_calls"] = [call]
    bring_in(workspace, "auto", write(tmp_path / "demo.traj", {"history": history}))
    events = only_run(workspace)
    assert not of_type(events, "tool_call_requested")
    assert not of_type(events, "run_ended")


def test_a_trajectory_that_grows_step_by_step_is_one_run_and_its_newest_totals_count(
    workspace: Workspace, tmp_path: Path
) -> None:
    early = trajectory(step("open a"), exit_status=None)
    early["info"]["model_stats"]["api_calls"] = 1
    bring_in(workspace, "swe_agent", write(tmp_path / "a.traj", early))
    report = bring_in(
        workspace, "swe_agent", write(tmp_path / "a.traj", trajectory(step("open a"), step("submit")))
    )
    assert (report.files[0].new, report.files[0].completed) == (0, 1)
    events = only_run(workspace)
    assert columns(of_type(events, "tool_call_requested"), "tool_name") == [("open",), ("submit",)]
    assert sorted(event["turn_count"] for event in of_type(events, "run_counted")) == [1, 2]
    assert columns(of_type(events, "run_ended"), "end_state") == [("completed",)]
    assert texts(workspace, of_type(events, "run_ended")) == ["diff"]


def test_each_exit_has_its_state(workspace: Workspace, tmp_path: Path) -> None:
    words = ("submitted (exit_cost)", "exit_cost", "exit_context")
    for word in words:
        bring_in(
            workspace,
            "swe_agent",
            write(tmp_path / f"{word}.traj", trajectory(step("submit"), exit_status=word)),
        )
    ended = of_type(told(workspace), "run_ended")
    assert columns(ended, "source_end_reason", "end_state", "error_type") == [
        ("submitted (exit_cost)", "completed", None),
        ("exit_cost", "stopped_budget", "exit_cost"),
        ("exit_context", "failed", "exit_context"),
    ]
