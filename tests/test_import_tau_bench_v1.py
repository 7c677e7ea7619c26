"""tau-bench v1: what the file says is counted, and what it does not say is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, runs, texts, told, write


def trial(**changes: Any) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"seat": 3}'}}
    return {
        "task_id": 7,
        "trial": 1,
        "reward": 1.0,
        "info": {"user_cost": 0.0025, "task": {"instruction": "You are Ada."}},
        "traj": [
            {"role": "system", "content": "Policy."},
            {"role": "user", "content": "A seat, please."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "name": "book", "content": "Error: no seat"},
            {"role": "assistant", "content": "One moment.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "name": "book", "content": "booked"},
            {"role": "assistant", "content": "Done."},
        ],
        **changes,
    }


def test_a_trial_is_a_run_with_its_words_and_without_time_tokens_or_cost(
    workspace: Workspace, tmp_path: Path
) -> None:
    bring_in(workspace, "tau_bench_v1", write(tmp_path / "gpt-4o-airline.json.gz", [trial()]))
    events = only_run(workspace)
    requested = one(events, "run_requested")
    assert (requested["source_run_id"], requested["source_task_id"]) == ("7-1", "7")
    assert (requested["requested_model"], requested["source_domain"]) == ("gpt-4o", "airline")
    assert requested["is_time_stated"] is False
    assert not of_type(events, "turn_finished")
    counted = one(events, "run_counted")
    assert counted["unstated_counts"] == "turns;other_side_calls;approvals"
    assert (counted["user_message_count"], counted["assistant_message_count"]) == (1, 2)
    ended = one(events, "run_ended")
    assert ended["other_side_cost_nano_usd"] == 2_500_000
    assert not {"reported_cost_nano_usd", "machine_ns"} & ended.keys()
    assert ended["declared_event_count"] == len(events) - 1  # the verdict comes after the end


def test_a_result_that_begins_with_error_is_one_and_repeated_ids_are_paired_in_order(
    workspace: Workspace, tmp_path: Path
) -> None:
    bring_in(workspace, "tau_bench_v1", write(tmp_path / "a.json", [trial()]))
    finished = of_type(only_run(workspace), "tool_call_finished")
    assert columns(finished, "call_index", "tool_outcome") == [(0, "failed"), (1, "succeeded")]
    assert texts(workspace, finished) == ["Error: no seat", "booked"]


def test_a_reward_of_one_is_good_another_is_not_and_none_is_no_verdict(
    workspace: Workspace, tmp_path: Path
) -> None:
    trials = [trial(trial=0), trial(trial=1, reward=0.5), trial(trial=2, reward=None)]
    bring_in(workspace, "tau_bench_v1", write(tmp_path / "a.json", trials))
    verdicts = {
        name: columns(of_type(events, "outcome_recorded"), "is_good", "score_micro")
        for name, events in runs(told(workspace)).items()
    }
    assert verdicts == {"7-0": [(True, 1_000_000)], "7-1": [(False, 500_000)], "7-2": []}


def test_the_same_trial_in_two_files_is_one_run_and_a_malformed_one_is_kept_apart(
    workspace: Workspace, tmp_path: Path
) -> None:
    one_file = write(tmp_path / "one.json", [trial(), {"task_id": 8, "traj": []}])
    report = bring_in(workspace, "tau_bench_v1", one_file, write(tmp_path / "two.json", [trial()]))
    assert [(file.new, file.known, file.quarantined) for file in report.files] == [(1, 0, 1), (0, 1, 0)]
    (reject,) = report.files[0].rejects
    assert (reject.position, reject.source_run_id) == (1, "8-0")
    assert "$.traj" in reject.reason
