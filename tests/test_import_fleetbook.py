"""Our own run lines: what they can say, mistakes named by their place, and a schema that is not stale."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest.importers.intake import Intent, examine
from ingest.workspace import Workspace
from tests.imported import bring_in, columns, of_type, one, only_run, runs, texts, told, write_lines

APPROVAL = {
    "decision": "approved_changed",
    "decided_by": "person",
    "person": "mara-lindt",
    "rule": "over-100",
    "asked_at": "2026-10-01T10:00:03Z",
    "decided_at": "2026-10-01T10:05:00Z",
    "changed_arguments": {"order": "A1", "amount": 50},
    "reason": "half of it",
}
PAY = {
    "type": "tool_call",
    "name": "refund",
    "arguments": {"order": "A1", "amount": 75},
    "effect": "consequential",
    "outcome": "succeeded",
    "result": "refunded 50",
    "finished_at": "2026-10-01T10:05:02Z",
    "duration_ms": 1500,
    "approval": APPROVAL,
}
TURN = {
    "type": "turn",
    "text": "I ask for it.",
    "requested_at": "2026-10-01T10:00:01Z",
    "finished_at": "2026-10-01T10:00:02Z",
    "input_tokens": 1000,
    "output_tokens": 20,
    "cache_read_tokens": 900,
    "is_cache_in_input": True,
    "cost_usd": 0.0021,
}


def line(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "fleetbook.run/1",
        "run_id": "r-1",
        "agent": "billing bot",
        "domain": "refunds",
        "task_id": "A1",
        "model": "gpt-4.1",
        "conversation_id": "c-1",
        "started_at": "2026-10-01T10:00:00Z",
        "steps": [{"type": "message", "role": "user", "text": "Refund A1"}, TURN, PAY],
        "end": {"state": "completed", "at": "2026-10-01T10:05:03Z", "machine_ms": 5003, "cost_usd": 0.0021},
        "verdicts": [{"kind": "user_confirmation", "is_good": True, "person": "jon-vass"}],
        "interventions": [{"kind": "corrected", "person": "mara-lindt"}],
        **changes,
    }


def test_a_line_says_everything_a_run_can_have(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, "auto", write_lines(tmp_path / "runs.jsonl", line()))
    events = only_run(workspace)
    assert columns(
        of_type(events, "turn_finished"), "input_tokens", "cache_read_tokens", "reported_cost_nano_usd"
    ) == [(1000, 900, 2_100_000)]
    asked, decided = of_type(events, "approval_reported")
    assert asked["arguments_digest"] != decided["approved_digest"]
    assert (decided["person_id"], decided["approval_rule"]) == ("mara-lindt", "over-100")
    finished = one(events, "tool_call_finished")
    assert (finished["approval_id"], finished["duration_ns"]) == (decided["approval_id"], 1_500_000_000)
    assert one(events, "tool_call_requested")["tool_effect"] == "consequential"
    assert one(events, "outcome_recorded")["person_id"] == "jon-vass"
    assert one(events, "intervention_recorded")["intervention_kind"] == "corrected"
    assert one(events, "run_ended")["machine_ns"] == 5_003_000_000
    assert "refunded 50" in texts(workspace, events)


def test_a_run_that_goes_on_is_completed_by_its_next_line(workspace: Workspace, tmp_path: Path) -> None:
    waiting = {**PAY, "outcome": None, "approval": {"asked_at": APPROVAL["asked_at"], "rule": "over-100"}}
    early = {
        name: value for name, value in line().items() if name not in ("end", "verdicts", "interventions")
    }
    early["steps"] = [
        *line()["steps"][:2],
        {key: value for key, value in waiting.items() if value is not None},
    ]
    for name in ("result", "finished_at", "duration_ms"):
        early["steps"][2].pop(name)
    bring_in(workspace, "fleetbook", write_lines(tmp_path / "runs.jsonl", early))
    assert not of_type(only_run(workspace), "run_ended")
    report = bring_in(workspace, "fleetbook", write_lines(tmp_path / "runs.jsonl", line()))
    assert (report.files[0].new, report.files[0].completed) == (0, 1)
    events = only_run(workspace)
    assert [event.get("decision") for event in of_type(events, "approval_reported")] == [
        None,
        "approved_changed",
    ]
    assert len(of_type(events, "tool_call_requested")) == len(of_type(events, "tool_call_finished")) == 1


def test_runs_of_two_agents_may_share_an_id_and_parents_belong_to_their_agent(
    workspace: Workspace, tmp_path: Path
) -> None:
    other = line(agent="other bot")
    child = line(run_id="r-2", parent_run_id="r-1")
    report = bring_in(workspace, "fleetbook", write_lines(tmp_path / "runs.jsonl", line(), other, child))
    assert report.files[0].new == 3
    found = runs(told(workspace))
    parents = {event["parent_run_id"] for event in found["r-2"] if "parent_run_id" in event}
    assert parents < {event["run_id"] for event in found["r-1"]}


BAD = {
    "mistyped key": ({"stepz": []}, "unknown field `stepz`"),
    "negative tokens": ({"steps": [{**TURN, "input_tokens": -1}]}, "`$.steps[0].input_tokens`"),
    "a running total as text": ({"steps": [{**TURN, "cost_usd": "0.1 USD"}]}, "`$.steps[0].cost_usd`"),
    "no time": ({"started_at": "yesterday"}, "started_at = 'yesterday' is no ISO 8601 time"),
    "a word of its own": ({"end": {"state": "done"}}, "`$.end.state`"),
    "another schema": ({"schema": "fleetbook.run/2"}, "`$.schema`"),
    "too much money": ({"end": {"state": "failed", "cost_usd": 1e12}}, "`$.end.cost_usd`"),
    "half a character": (
        {"steps": [{"type": "message", "role": "user", "text": "\ud800"}]},
        "no valid Unicode",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_the_validator_names_the_place_of_a_mistake_and_writes_nothing(tmp_path: Path, name: str) -> None:
    changes, sentence = BAD[name]
    path = write_lines(tmp_path / "runs.jsonl", line(run_id="r-0"), line(**changes))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "app.cli",
            "--workspace",
            str(tmp_path / "none"),
            "import",
            "fleetbook",
            "--check",
            path,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert sentence in done.stdout
    assert "1 runs can be taken in, 1 cannot" in done.stdout
    assert "Nothing was written." in done.stdout
    assert not (tmp_path / "none").exists()


def test_a_fine_file_passes_the_check(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "runs.jsonl", line())
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "import", "fleetbook", "--check", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_json_schema_in_the_docs_is_not_stale_and_knows_every_key(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ingest.importers.fleetbook_shape", "--check"], cwd=repository, check=False
    )
    assert done.returncode == 0
    schema = json.loads((repository / "docs" / "run.schema.json").read_text())
    known = schema["$defs"]["Run"]["properties"].keys()
    assert line().keys() <= known
    assert schema["$defs"]["Run"]["additionalProperties"] is False


def test_what_is_left_out_is_unknown_and_not_zero(workspace: Workspace, tmp_path: Path) -> None:
    bare = {"schema": "fleetbook.run/1", "run_id": "r-1", "agent": "bot", "unstated": ["tool_errors"]}
    bring_in(workspace, "fleetbook", write_lines(tmp_path / "runs.jsonl", bare))
    events = only_run(workspace)
    assert one(events, "run_requested")["is_time_stated"] is False
    counted = one(events, "run_counted")
    assert counted["unstated_counts"] == "tool_errors"
    assert not any(name.endswith(("_tokens", "_count", "_usd")) for name in counted)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_texts_are_read_as_windows_writes_them_too(encoding: str, is_packed: bool, tmp_path: Path) -> None:
    lines = "\ufeff" * (encoding == "utf-16-be") + "".join(
        f"{json.dumps(line(run_id=name), ensure_ascii=False)}\r\n" for name in ("r-1", "r-ä")
    )
    content = lines.encode(encoding)
    path = tmp_path / "runs"
    path.write_bytes(gzip.compress(content) if is_packed else content)
    report = examine(Intent(format_name="auto", files=(path,)))
    assert [(file.seen, file.quarantined) for file in report.files] == [(2, 0)]
