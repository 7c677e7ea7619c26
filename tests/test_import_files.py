"""`fleetbook import tau2`: what reaches the log from hand-made files, and what happens with bad ones."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.reader import event_ids, payload_texts, run_events
from ingest.workspace import Workspace
from tests.tau2_files import GOOD, INFO, SECRET, document, good, write

RUN_ID = f"tau2-{GOOD['id']}"


def fleetbook(
    *arguments: str | Path, code: str = "from app.cli import main; main()"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def of_type(events: list[dict[str, object]], event_type: str) -> list[dict[str, object]]:
    return [event for event in events if event["event_type"] == event_type]


@pytest.fixture
def taken_in(workspace: Workspace, tmp_path: Path) -> list[dict[str, object]]:
    """The events of the good simulation after its import."""
    done = fleetbook("import", "tau2", write(tmp_path / "good.json.gz", document(good())))
    assert done.returncode == 0, done.stderr
    return list(run_events(workspace, RUN_ID))


def test_a_run_carries_the_words_of_its_source(taken_in: list[dict[str, object]]) -> None:
    (requested,) = of_type(taken_in, "run_requested")
    assert requested["source_file"] == "good.json.gz"
    assert (requested["source_run_id"], requested["source_task_id"]) == (GOOD["id"], "0")
    assert (requested["source_agent"], requested["source_domain"]) == ("llm_agent", "airline")
    assert (requested["provider_name"], requested["requested_model"]) == ("openai", "gpt-4.1")
    assert requested["agent_id"] == "llm_agent-on-gpt-4-1"
    assert requested["is_demo"] is False
    assert requested["occurred_at"] == dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)


def test_a_turn_is_an_assistant_message_with_usage(taken_in: list[dict[str, object]]) -> None:
    turns = of_type(taken_in, "turn_finished")
    assert [turn["input_tokens"] for turn in turns] == [1000, 1500]
    assert [turn["output_tokens"] for turn in turns] == [20, 30]
    assert [turn["reported_cost_nano_usd"] for turn in turns] == [2_100_000, 3_400_000]
    assert [turn["finish_reason"] for turn in turns] == ["tool_calls", "stop"]
    assert all("list_cost_nano_usd" not in turn for turn in turns)


def test_a_repeated_call_id_is_paired_in_order_and_by_side(taken_in: list[dict[str, object]]) -> None:
    finished = of_type(taken_in, "tool_call_finished")
    assert [(call["call_index"], call["called_by"], call["tool_outcome"]) for call in finished] == [
        (0, "agent", "failed"),
        (1, "user", "succeeded"),
    ]
    assert [call["tool_name"] for call in of_type(taken_in, "tool_call_requested")] == [
        "get_line",
        "toggle_data",
    ]


def test_the_end_has_cost_time_verdict_and_an_exact_count(taken_in: list[dict[str, object]]) -> None:
    (ended,) = of_type(taken_in, "run_ended")
    assert ended["end_state"] == "completed"
    assert ended["machine_ns"] == 12_500_000_000
    assert ended["reported_cost_nano_usd"] == 5_500_000
    assert ended["other_side_cost_nano_usd"] == 1_200_000
    (outcome,) = of_type(taken_in, "outcome_recorded")
    assert (outcome["outcome_kind"], outcome["is_good"], outcome["score_micro"]) == (
        "task_reward",
        True,
        1_000_000,
    )
    counted = [event for event in taken_in if event["event_type"] != "outcome_recorded"]
    # 2 at the start, 3 messages, 2 × 2 turns, 2 × 2 tool calls, 1 end
    assert ended["declared_event_count"] == len(counted) == 14


def test_texts_go_to_the_payload_store_and_not_into_the_log(
    workspace: Workspace, taken_in: list[dict[str, object]]
) -> None:
    ids = {
        str(event["payload_id"]): str(event["event_type"]) for event in taken_in if event.get("payload_id")
    }
    texts = payload_texts(workspace, ids)
    assert sorted(text or "" for text in texts.values()) == sorted(
        [
            "Hi!",
            "My data is slow.",
            '{"line": "L1"}',
            "Error: no such line",
            "{}",
            "Data is on",
            "Your data works again.",
            "Thanks, bye.",
        ]
    )
    assert not any("slow" in json.dumps(event, default=str) for event in taken_in)


def test_the_keys_in_the_info_block_stay_in_the_file(
    workspace: Workspace, taken_in: list[dict[str, object]]
) -> None:
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_a_source_without_usage_has_messages_and_no_turns(workspace: Workspace, tmp_path: Path) -> None:
    silent = good(agent_cost=None, user_cost=None)
    for message in silent["messages"]:
        message.update(usage=None, cost=None)
    fleetbook("import", "tau2", write(tmp_path / "silent.json", document(silent)))
    events = run_events(workspace, RUN_ID)
    assert not of_type(events, "turn_finished")
    assert [message["message_role"] for message in of_type(events, "message_recorded")] == [
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    (ended,) = of_type(events, "run_ended")
    assert "reported_cost_nano_usd" not in ended


def test_an_unknown_reward_is_no_verdict(workspace: Workspace, tmp_path: Path) -> None:
    fleetbook("import", "tau2", write(tmp_path / "open.json", document(good(reward_info=None))))
    assert not of_type(run_events(workspace, RUN_ID), "outcome_recorded")


@pytest.mark.parametrize(
    ("word", "state", "error"),
    [
        ("agent_stop", "completed", None),
        ("max_steps", "failed", "max_steps"),
        ("infrastructure_error", "failed", "infrastructure_error"),
        ("a_word_of_next_year", "failed", "unknown_end"),
    ],
)
def test_each_end_of_the_source_has_its_state(
    workspace: Workspace, tmp_path: Path, word: str, state: str, error: str | None
) -> None:
    fleetbook("import", "tau2", write(tmp_path / "end.json", document(good(termination_reason=word))))
    (ended,) = of_type(run_events(workspace, RUN_ID), "run_ended")
    assert (ended["end_state"], ended.get("error_type"), ended["source_end_reason"]) == (state, error, word)


def test_naive_times_are_read_in_the_given_zone_and_a_second_zone_changes_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = write(tmp_path / "good.json", document(good()))
    fleetbook("import", "tau2", path, "--time-zone", "Europe/Berlin")
    (requested,) = of_type(run_events(workspace, RUN_ID), "run_requested")
    assert requested["occurred_at"] == dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)
    before = event_ids(workspace, recorded_via="import:tau2")
    again = fleetbook("import", "tau2", path, "--time-zone", "UTC")
    assert again.returncode == 0
    assert "Nothing new" in again.stdout
    assert event_ids(workspace, recorded_via="import:tau2") == before


def test_the_same_run_in_two_files_counts_once(workspace: Workspace, tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", document(good()))
    two = write(tmp_path / "two.json.gz", document(good()))
    done = fleetbook("import", "tau2", one, two)
    assert done.returncode == 0
    assert len(of_type(run_events(workspace, RUN_ID), "run_ended")) == 1


def test_a_second_import_leaves_no_trace(workspace: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "good.json", document(good()))
    fleetbook("import", "tau2", path)
    before = {file: file.read_bytes() for file in workspace.root.rglob("*") if file.is_file()}
    assert fleetbook("import", "tau2", path).returncode == 0
    assert {file: file.read_bytes() for file in workspace.root.rglob("*") if file.is_file()} == before


def test_malformed_runs_go_to_quarantine_and_the_good_ones_come_in(
    workspace: Workspace, tmp_path: Path
) -> None:
    no_clock = good(id="22222222-2222-4333-8444-555555555555", start_time="yesterday")
    negative = good(id="33333333-2222-4333-8444-555555555555", agent_cost=-1)
    half_pair = good(id="44444444-2222-4333-8444-555555555555")
    half_pair["messages"][1]["content"] = "half a pair \ud800"
    path = write(tmp_path / "mixed.json", document(good(), no_clock, "not a run", negative, half_pair))
    done = fleetbook("import", "tau2", path)
    assert done.returncode == 0
    assert "4 quarantined" in done.stdout
    assert run_events(workspace, RUN_ID)
    (kept,) = workspace.quarantine_dir.iterdir()
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line["position"] for line in lines] == [1, 2, 3, 4]
    assert "start_time = 'yesterday' is no ISO 8601 time" in lines[0]["reason"]
    assert "agent_cost" in lines[2]["reason"]
    assert "Unicode" in lines[3]["reason"]
    assert json.loads(lines[0]["raw"])["simulations"][0]["start_time"] == "yesterday"
    fleetbook("import", "tau2", path)
    assert kept.read_text().count("\n") == 4


def cut(text: str) -> str:
    return text[: len(text) // 2]


BAD_FILES = {
    "truncated.json": (cut(json.dumps(document(good()))), "ends in the middle of its JSON"),
    "trailing.json": (json.dumps(document(good())) + " {}", "something follows the JSON document"),
    "comma.json": (
        json.dumps(document(good())).replace('"tasks": []', '"tasks": [1,,2]'),
        "no valid JSON at character",
    ),
    "list.json": ("[1, 2]", "does not begin with an object"),
    "headless.json": ('{"simulations": []}', "has no 'info'"),
    "runless.json": (json.dumps({"info": INFO}), "has no list 'simulations'"),
    "other_info.json": (json.dumps(document(good(), info={"agent": "x"})), "'info' is of another shape"),
    "empty.json": ("", "is empty"),
    "deep.json": ('{"tasks": ' + "[" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_imports_nothing_even_beside_a_good_one(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    content, sentence = BAD_FILES[name]
    before = sorted(workspace.root.rglob("*"))
    fine = write(tmp_path / "good.json", document(good()))
    done = fleetbook("import", "tau2", fine, write(tmp_path / name, content))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert {path for path in workspace.root.rglob("*") if path.name != "import.lock"} == set(before)


def test_a_file_that_only_claims_to_be_gzip_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "plain.json.gz").write_text(json.dumps(document(good())))
    whole = write(tmp_path / "whole.json.gz", document(good())).read_bytes()
    (tmp_path / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    assert "is not gzip" in fleetbook("import", "tau2", tmp_path / "plain.json.gz").stderr
    assert "ends in the middle" in fleetbook("import", "tau2", tmp_path / "cut.json.gz").stderr
    assert "does not exist" in fleetbook("import", "tau2", tmp_path / "missing.json").stderr
    assert not event_ids(workspace, recorded_via="import:tau2")


def test_an_unknown_format_names_those_there_are(workspace: Workspace, tmp_path: Path) -> None:
    done = fleetbook("import", "tauu", write(tmp_path / "good.json", document(good())))
    assert done.returncode == 2
    expected = "Nothing imported: unknown format 'tauu'. Did you mean tau2? Known formats: auto, tau2"
    assert done.stderr.startswith(expected)


def test_an_unknown_zone_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "good.json", document(good()))
    done = fleetbook("import", "tau2", path, "--time-zone", "Europe/Berlim")
    assert done.returncode == 2
    assert "Europe/Berlim" in done.stderr


# The process kills itself at its n-th fdatasync: between two durable batches, in the middle of an import.
KILLED = """
import os, signal, sys
import ingest.importers.recording as recording
recording.BATCH_EVENTS = 10
left, real = [int(sys.argv.pop(1))], os.fdatasync
def fdatasync(fd):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(fd)
os.fdatasync = fdatasync
from app.cli import main
main()
"""


@pytest.mark.parametrize("survived", [1, 2, 3, 5, 9])
def test_an_import_killed_in_the_middle_is_completed_by_the_same_command(
    workspace: Workspace, tmp_path: Path, survived: int
) -> None:
    runs = [good(id=f"{number:08d}-2222-4333-8444-555555555555") for number in range(6)]
    path = write(tmp_path / "six.json", document(*runs))
    killed = fleetbook(survived, "import", "tau2", path, code=KILLED)  # type: ignore[arg-type]  # a number is printed
    assert killed.returncode == -signal.SIGKILL
    again = fleetbook("import", "tau2", path)
    assert again.returncode == 0, again.stderr
    for run in runs:
        events = run_events(workspace, f"tau2-{run['id']}")
        assert len(events) == 15
        assert len({event["event_id"] for event in events}) == 15
    third = fleetbook("import", "tau2", path)
    assert "Nothing new" in third.stdout
    # six runs, and one event for the file that was read
    assert len(event_ids(workspace, recorded_via="import:tau2")) == 6 * 15 + 1


def test_two_imports_at_once_do_not_write_one_run_twice(workspace: Workspace, tmp_path: Path) -> None:
    import fcntl

    with (workspace.root / "import.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = fleetbook("import", "tau2", write(tmp_path / "good.json", document(good())))
    assert done.returncode == 2
    assert "another import is writing" in done.stderr
