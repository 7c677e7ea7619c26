"""Inspect logs: two containers, two compressions, approvals with their words, headers that claim too much."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingest.errors import SourceError
from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, runs, texts, told, write, write_zip

CALL = {"id": "call_1", "function": "refund", "arguments": {"order": "A1", "amount": 75}, "type": "function"}
SPEC = {
    "run_id": "R1",
    "task_id": "T1",
    "created": "2026-05-01T10:00:00+00:00",
    "task": "inspect_evals/refunds",
    "model": "openai/gpt-4o-mini",
    "dataset": {"samples": 1, "sample_ids": [1]},
    "config": {"epochs": 1},
}
HEADER = {"version": 2, "status": "success", "eval": SPEC, "results": {"total_samples": 1}}


def at(second: int) -> str:
    return f"2026-05-01T10:00:{second:02d}.000000+00:00"


def model_event(second: int, content: object, usage: dict[str, int], calls: object = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    return {
        "event": "model",
        "timestamp": at(second),
        "completed": at(second + 1),
        "model": "openai/gpt-4o-mini",
        "output": {
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"message": message, "stop_reason": "stop"}],
            "usage": usage,
            "time": 0.75,
        },
    }


def tool_event(second: int, **changes: Any) -> dict[str, Any]:
    return {
        "event": "tool",
        "timestamp": at(second),
        "completed": at(second + 2),
        "id": "call_1",
        "function": "refund",
        "arguments": CALL["arguments"],
        "result": "refunded",
        **changes,
    }


def approval(second: int, decision: str, approver: str = "human", **changes: Any) -> dict[str, Any]:
    return {
        "event": "approval",
        "timestamp": at(second),
        "call": CALL,
        "approver": approver,
        "decision": decision,
        "explanation": "as agreed",
        **changes,
    }


def sample(*between: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A sample with a call, whatever happened ``between`` asking and ending, and a last answer."""
    return {
        "id": 1,
        "epoch": 1,
        "messages": [
            {"role": "user", "content": "Refund A1."},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "refunded", "tool_call_id": "call_1", "function": "refund"},
            {"role": "assistant", "content": "Done."},
        ],
        "events": [
            model_event(1, "", {"input_tokens": 100, "output_tokens": 5, "total_tokens": 105}, [CALL]),
            *(between or (tool_event(4),)),
            model_event(
                8,
                "attachment://a1",
                {"input_tokens": 120, "output_tokens": 7, "total_tokens": 127, "input_tokens_cache_read": 64},
            ),
        ],
        "attachments": {"a1": "Done. " * 30},
        "scores": {"includes": {"value": "C"}, "length": {"value": 0.25}},
        "model_usage": {
            "openai/gpt-4o-mini": {
                "input_tokens": 220,
                "output_tokens": 12,
                "total_tokens": 232,
                "input_tokens_cache_read": 64,
            }
        },
        "total_time": 9.5,
        **changes,
    }


def log(*samples: dict[str, Any]) -> dict[str, Any]:
    return {**HEADER, "samples": list(samples)}


def zstd_zip(path: Path, members: dict[str, object]) -> Path:
    """A zip whose members are packed with method 93, by hand: zipfile of Python 3.11 cannot."""
    body, directory = b"", b""
    for name, content in members.items():
        plain = json.dumps(content).encode()
        packed = pa.Codec("zstd").compress(plain, asbytes=True)
        sums = struct.pack("<IIIHH", zlib.crc32(plain), len(packed), len(plain), len(name), 0)
        common = struct.pack("<HHHHH", 63, 0, 93, 0, 0x5C21)
        directory += (
            b"PK\x01\x02"
            + struct.pack("<H", 63)
            + common
            + sums
            + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
        )
        directory += name.encode()
        body += b"PK\x03\x04" + common + sums + name.encode() + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


MEMBERS = {"header.json": HEADER, "samples/1_epoch_1.json": sample(), "summaries.json": []}


@pytest.mark.parametrize("kind", ["deflate", "zstd", "json", "json.gz", "zip of json"])
def test_a_sample_reads_the_same_from_every_container(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    paths = {
        "deflate": lambda: write_zip(tmp_path / "a.eval", MEMBERS),
        "zstd": lambda: zstd_zip(tmp_path / "a.eval", MEMBERS),
        "json": lambda: write(tmp_path / "a.json", log(sample())),
        "json.gz": lambda: write(tmp_path / "a.json.gz", log(sample())),
        "zip of json": lambda: write_zip(tmp_path / "a.zip", {"logs/a.json": log(sample())}),
    }
    bring_in(workspace, "auto", paths[kind]())
    events = only_run(workspace)
    requested = one(events, "run_requested")
    assert (requested["source_run_id"], requested["source_agent"]) == ("1_epoch_1", "refunds")
    turns = of_type(events, "turn_finished")
    assert columns(turns, "input_tokens", "output_tokens", "cache_read_tokens", "is_cache_in_input") == [
        (100, 5, 0, None),
        (120, 7, 64, True),
    ]
    assert texts(workspace, turns) == ["Done. " * 30]  # the long text stands in the attachments
    assert columns(of_type(events, "tool_call_finished"), "tool_outcome", "duration_ns") == [
        ("succeeded", 2_000_000_000)
    ]
    counted = one(events, "run_counted")
    assert (counted["total_tokens"], counted["assistant_message_count"]) == (232, 2)
    ended = one(events, "run_ended")
    assert (ended["machine_ns"], ended["end_state"]) == (9_500_000_000, "completed")
    assert columns(of_type(events, "outcome_recorded"), "outcome_kind", "outcome_name", "is_good") == [
        ("score", "length", None),
        ("task_reward", "includes", True),
    ] or columns(of_type(events, "outcome_recorded"), "outcome_kind", "is_good")[0] == ("task_reward", True)


@pytest.mark.parametrize(
    ("given", "decision", "decider", "outcome", "state"),
    [
        ([approval(2, "approve")], "approved", "person", "succeeded", "completed"),
        ([approval(2, "approve", "auto")], "approved", "policy", "succeeded", "completed"),
        (
            [approval(2, "escalate", "rule"), approval(3, "reject")],
            "rejected",
            "person",
            "denied",
            "completed",
        ),
        ([approval(2, "terminate", "limits")], "rejected", "unknown", "denied", "cancelled"),
    ],
)
def test_approval_events_are_decisions_with_their_source_word(
    workspace: Workspace,
    tmp_path: Path,
    given: list[dict[str, Any]],
    decision: str,
    decider: str,
    outcome: str,
    state: str,
) -> None:
    is_stopped = given[-1]["decision"] == "terminate"
    ended = tool_event(4, result="", error={"type": "approval", "message": "no"})
    tool = tool_event(4) if decision == "approved" else tool_event(4, failed=True) if is_stopped else ended
    limit = {"type": "operator", "limit": 1} if is_stopped else None
    bring_in(workspace, "inspect", write(tmp_path / "a.json", log(sample(*given, tool, limit=limit))))
    events = only_run(workspace)
    told_of = of_type(events, "approval_reported")
    assert [event["source_decision"] for event in told_of] == [event["decision"] for event in given]
    assert (told_of[-1]["decision"], told_of[-1]["decider_kind"]) == (decision, decider)
    assert len({event["approval_id"] for event in told_of}) == 1
    finished = one(events, "tool_call_finished")
    assert (finished["tool_outcome"], finished["approval_id"]) == (outcome, told_of[0]["approval_id"])
    assert one(events, "run_ended")["end_state"] == state
    assert "approvals" not in one(events, "run_counted")["unstated_counts"]


def test_a_modified_call_has_two_digests(workspace: Workspace, tmp_path: Path) -> None:
    less = {**CALL, "arguments": {"order": "A1", "amount": 50}}
    given = approval(2, "modify", modified=less)
    bring_in(workspace, "inspect", write(tmp_path / "a.json", log(sample(given, tool_event(4)))))
    event = one(only_run(workspace), "approval_reported")
    assert event["decision"] == "approved_changed"
    assert event["arguments_digest"] != event["approved_digest"]


def test_a_header_that_claims_more_samples_than_the_file_holds_is_told(
    workspace: Workspace, tmp_path: Path
) -> None:
    header = {**HEADER, "results": {"total_samples": 790}}
    path = write_zip(tmp_path / "a.eval", {**MEMBERS, "header.json": header})
    bring_in(workspace, "inspect", path)
    scan = one(told(workspace), "source_scanned")
    assert columns([scan], "expected_run_count", "found_run_count") == [(790, 1)]


def test_a_log_that_is_still_written_grows_and_nothing_counts_twice(
    workspace: Workspace, tmp_path: Path
) -> None:
    start = {"version": 2, "eval": {**SPEC, "dataset": {"sample_ids": [1, 2]}}}
    first = {"_journal/start.json": start, "samples/1_epoch_1.json": sample()}
    bring_in(workspace, "inspect", write_zip(tmp_path / "a.eval", first))
    second = {**first, "samples/2_epoch_1.json": sample(id=2), "header.json": HEADER}
    report = bring_in(workspace, "inspect", write_zip(tmp_path / "a.eval", second))
    assert (report.files[0].new, report.files[0].known) == (1, 1)
    assert set(runs(told(workspace))) == {"1_epoch_1", "2_epoch_1"}
    scans = of_type(told(workspace), "source_scanned")
    assert columns(scans, "expected_run_count", "found_run_count") == [(2, 1), (1, 2)]


def test_results_without_calls_are_kept_and_count_as_no_calls(workspace: Workspace, tmp_path: Path) -> None:
    bare = {
        "id": 1,
        "epoch": 4,
        "messages": [
            {
                "role": "tool",
                "content": "late",
                "tool_call_id": "x",
                "error": {"type": "timeout", "message": "…"},
            }
        ],
    }
    bring_in(workspace, "inspect", write(tmp_path / "a.json", log(bare)))
    events = only_run(workspace)
    assert not of_type(events, "tool_call_requested")
    assert columns(of_type(events, "message_recorded"), "message_role") == [("tool",)]
    assert one(events, "run_requested")["is_time_stated"] is False
    assert one(events, "run_requested")["occurred_at"] == "2026-05-01T10:00:00.000000Z"  # the log's own time
    assert "turns" in one(events, "run_counted")["unstated_counts"]


def test_a_damaged_sample_is_refused_and_the_others_come_in(workspace: Workspace, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.eval", {**MEMBERS, "samples/2_epoch_1.json": '{"id": 2, "epoch"'})
    report = bring_in(workspace, "inspect", path)
    assert (report.files[0].new, report.files[0].quarantined) == (1, 1)
    flipped = zstd_zip(tmp_path / "b.eval", MEMBERS)
    data = bytearray(flipped.read_bytes())
    middle = data.index(b"samples/1_epoch_1.json") + 200
    data[middle : middle + 40] = bytes(40)
    flipped.write_bytes(bytes(data))
    again = bring_in(workspace, "inspect", flipped)
    assert again.files[0].quarantined == 1


def test_an_encrypted_or_cut_archive_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.eval", MEMBERS)
    data = path.read_bytes()
    write(tmp_path / "cut.eval", data[: len(data) // 2])
    with pytest.raises(SourceError, match="damaged zip"):
        bring_in(workspace, "inspect", tmp_path / "cut.eval")
    encrypted = data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    assert encrypted != data
    write(tmp_path / "locked.eval", encrypted)
    with zipfile.ZipFile(tmp_path / "locked.eval") as archive:
        assert archive.infolist()[0].flag_bits & 1
    with pytest.raises(SourceError, match="is encrypted"):
        bring_in(workspace, "inspect", tmp_path / "locked.eval")


def test_the_generated_log_with_all_five_decisions_reads_as_its_dump_says(
    workspace: Workspace, shared: Path
) -> None:
    folder = shared / "data" / "wire" / "inspect_generated"
    bring_in(workspace, "auto", folder / "refund-agent_approvals_zstd.eval")
    dump = json.loads((folder / "refund-agent_approvals.dump.json").read_text())
    found = runs(told(workspace))
    assert len(found) == len(dump["samples"]) == 5
    for expected in dump["samples"]:
        events = found[f"{expected['id']}_epoch_1"]
        words = [event["decision"] for event in expected["events"] if event["event"] == "approval"]
        assert [event["source_decision"] for event in of_type(events, "approval_reported")] == words
        usage = expected["model_usage"]["mockllm/model"]
        turns = of_type(events, "turn_finished")
        assert sum(turn["input_tokens"] for turn in turns) == usage["input_tokens"]
        assert sum(turn["output_tokens"] for turn in turns) == usage["output_tokens"]
        denied = {"reject", "terminate"} & set(words)
        outcomes = [event["tool_outcome"] for event in of_type(events, "tool_call_finished")]
        assert outcomes == (["denied"] if denied else ["succeeded"])
    # Importing the dump of the same log adds nothing: samples carry their own ids.
    again = bring_in(workspace, "auto", folder / "refund-agent_approvals.dump.json")
    assert again.files[0].known == 5
