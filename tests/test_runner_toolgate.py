"""The gate of tool calls: access at each call; tools that hang, quit, talk too much or answer nonsense."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from ingest.reader import payload_texts
from ingest.workspace import Workspace
from runner.agent.results import LONGEST_RESULT, bounded, result_text
from tests.conftest import ROOT
from tests.runner_company import company, events, play, registry, resume

SEARCH = '"runner.agent.simulated_tools:search_tickets"'
ERRANDS = ("model: sim:triage", "model: sim:errands")


def call(**arguments: object) -> str:
    """The line with which the simulated model calls the tool under test."""
    return f"search_tickets {json.dumps(arguments)}"


def as_tool(function: str, *, effect: str = "read", timeout_s: float = 30) -> tuple[str, str]:
    """The change that puts a function of tests/runner_tools.py in the place of search_tickets."""
    return (
        f"{{function: {SEARCH}, effect: read}}",
        f'{{function: "tests.runner_tools:{function}", effect: {effect}, timeout_s: {timeout_s}}}',
    )


def granted(grant_id: str, tool: str, effect: str) -> tuple[str, str]:
    """The change that adds a grant of use_tool to agent users."""
    grant = f"{{id: {grant_id}, role: agent_user, action: use_tool, tool: {tool}, effect: {effect}}}"
    return "grants:\n", f"grants:\n  - {grant}\n"


def test_a_tool_that_needs_a_grant_is_refused_to_a_role_without_one(workspace: Workspace) -> None:
    needs_grant = (
        f"{{function: {SEARCH}, effect: read}}",
        f"{{function: {SEARCH}, effect: read, needs_grant: true}}",
    )
    control = company(workspace, ERRANDS, needs_grant)
    outcome = play(control, "triage-agent", call(query="late"))
    assert outcome.end_state == "completed"
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", "default-deny")
    assert "jon-vass may not use search_tickets now: no grant lets role agent_user" in str(outcome.answer)
    grant = granted("users-search", "search_tickets", "allow")
    control.apply(registry(ERRANDS, needs_grant, grant))
    outcome = play(control, "triage-agent", call(query="late"))
    assert events(workspace, outcome.run_id, "tool_call_finished")[0]["tool_outcome"] == "succeeded"
    control.apply(registry(ERRANDS, granted("no-search", "search_tickets", "deny")))
    outcome = play(control, "triage-agent", call(query="late"))
    assert events(workspace, outcome.run_id, "tool_call_finished")[0]["refusal_rule"] == "no-search"
    control.close()


def test_access_that_is_lost_between_the_request_and_the_approval_counts_at_the_call(
    workspace: Workspace,
) -> None:
    control = company(workspace)
    outcome = play(control, "refund-agent", "Refund W-2211, 240 USD")
    (request,) = outcome.requests
    control.apply(registry(granted("no-refunds", "refund_payment", "deny")))
    control.decide(request.approval_id, "mara-lindt", "approved", "fine")
    outcome = resume(control, outcome.run_id)
    end = events(workspace, outcome.run_id, "tool_call_finished")[-1]
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", "no-refunds")
    assert not events(workspace, outcome.run_id, "approval_consumed")
    control.close()


def test_a_tool_that_never_comes_back_holds_up_neither_its_run_nor_its_process(workspace: Workspace) -> None:
    company(workspace, ERRANDS, as_tool("hangs", timeout_s=0.2)).close()
    command = [sys.executable, "-m", "app.cli", "run", "triage-agent", call(query="x"), "--as", "jon-vass"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "search_tickets did not answer within 0.2 s" in done.stdout


@pytest.mark.parametrize(
    ("function", "error_type", "words"),
    [
        ("quits", "ToolQuit", "the tool raised SystemExit"),
        ("recurses", "RecursionError", "maximum recursion depth"),
        ("times_out", "TimeoutError", "the service was slow"),
    ],
)
def test_a_tool_that_breaks_is_a_failed_call_and_the_run_goes_on(
    workspace: Workspace, function: str, error_type: str, words: str
) -> None:
    control = company(workspace, ERRANDS, as_tool(function))
    outcome = play(control, "triage-agent", call(query="x"))
    assert outcome.end_state == "completed"
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["error_type"]) == ("failed", error_type)
    assert words in str(outcome.answer)
    control.close()


def test_a_result_that_is_too_long_is_cut_and_its_whole_is_hashed(workspace: Workspace) -> None:
    control = company(workspace, ERRANDS, as_tool("talks"))
    outcome = play(control, "triage-agent", call(query="x"))
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    whole = json.dumps("word " * 100_000)
    assert end["content_sha256"] == sha256(whole.encode()).hexdigest()
    text = str(payload_texts(workspace, [str(end["payload_id"])])[str(end["payload_id"])])
    assert len(text) < LONGEST_RESULT + 300
    assert (
        f"[cut: the first 100,000 of 500,002 characters; SHA256 of the whole: {end['content_sha256']}]"
        in text
    )
    control.close()


def test_a_secret_in_a_result_is_masked_in_the_log(workspace: Workspace) -> None:
    control = company(workspace, ERRANDS, as_tool("leaks"))
    outcome = play(control, "triage-agent", call(query="x"))
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    text = payload_texts(workspace, [str(end["payload_id"])])[str(end["payload_id"])]
    assert end["masked_count"] == 1
    assert "sk-proj-" not in str(text)
    control.close()


def test_whatever_a_tool_gives_back_is_json() -> None:
    ring: list[object] = []
    ring.append(ring)
    for odd in (
        object(),
        float("inf"),
        {"a": float("nan")},
        b"\xff\x00",
        ring,
        {1: {2, 3}},
        "\ud800",
        range(3),
    ):
        json.loads(result_text(odd))
    assert json.loads(result_text({"rate": float("nan")})) == {"rate": "nan"}
    assert bounded('"short"').whole_sha256 is None


def test_every_try_of_a_call_has_the_same_key_in_every_process(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that takes a key is tried again after a crash, with the same key; the next call has another."""
    monkeypatch.setenv("EFFECTS_FILE", str(tmp_path / "effects.txt"))
    tool = as_tool("books", effect="write")
    control = company(workspace, ERRANDS, tool)
    run_id = control.request_run("triage-agent", f"{call(query='a')}\n\n{call(query='b')}", "jon-vass")
    control.close()
    command = [sys.executable, "-m", "app.cli", "worker", "--once"]
    for dies in ("1", ""):
        subprocess.run(command, cwd=ROOT, env={**os.environ, "BOOKING_DIES": dies}, timeout=120, check=False)
    lines = (tmp_path / "effects.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [f"book a {run_id}:0", f"book a {run_id}:0", f"book b {run_id}:1"]
    (end,) = events(workspace, run_id, "run_ended")
    assert end["end_state"] == "completed"
