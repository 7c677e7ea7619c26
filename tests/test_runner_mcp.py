"""Tools of MCP servers: the gate that functions have, a frozen schema, a server that nobody trusts."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.workspace import Workspace
from runner.control.plane import Control
from tests.conftest import ROOT
from tests.runner_company import Command, company, events, fleetbook, play, resume

__all__ = ["fleetbook"]

SERVER = f"""\
mcp_servers:
  books:
    command: [{json.dumps(sys.executable)}, {json.dumps(str(ROOT / "tests" / "mcp_server.py"))}]
    environment: [MOOD_FILE, EFFECTS_FILE]
    connect_timeout_s: 60
tools:
  find_book: {{mcp: books/find_book, effect: read}}
  tell_environment: {{mcp: books/tell_environment, effect: read}}
  fail: {{mcp: books/fail, effect: read}}
  order_book: {{mcp: books/order_book, effect: consequential, timeout_s: 30}}
"""
AGENT = """\
agents:
  book-agent:
    name: Book agent
    team: support
    owner: mara-lindt
    purpose: Orders books.
    risk: {class: limited}
    model: sim:errands
    instructions: You order books.
    tools:
      - {tool: find_book}
      - {tool: tell_environment}
      - {tool: fail}
      - tool: order_book
        approval: {id: many-books, when: {argument: copies, over: 10}, approver_role: team_manager}
    status: live
"""
DECLARED: tuple[tuple[str, str], ...] = (("tools:\n  lookup", SERVER + "  lookup"), ("agents:\n", AGENT))
HIGH = (
    "    risk: {class: limited}\n    model: sim:errands",
    "    risk: {class: high}\n    model: sim:errands",
)


@pytest.fixture(autouse=True)
def mood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says how the server behaves."""
    monkeypatch.setenv("MOOD_FILE", str(tmp_path / "mood.txt"))
    monkeypatch.setenv("EFFECTS_FILE", str(tmp_path / "effects.txt"))
    (tmp_path / "effects.txt").touch()
    (tmp_path / "mood.txt").touch()
    return tmp_path / "mood.txt"


def effects(mood: Path) -> list[str]:
    """What the server did."""
    return mood.with_name("effects.txt").read_text(encoding="utf-8").splitlines()


def order(copies: int) -> str:
    """The line with which the simulated model orders books."""
    return f"order_book {json.dumps({'title': 'Emma', 'copies': copies})}"


def test_a_call_of_a_server_passes_checks_and_approval_and_its_result_is_journalled(
    workspace: Workspace, mood: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPANY_SECRET", "hunter2")
    control = company(workspace, *DECLARED)
    task = "\n\n".join(
        [
            'find_book {"title": "Emma"}',
            'find_book {"name": "Emma"}',
            "tell_environment {}",
            "fail {}",
            order(3),
            order(12),
        ]
    )
    outcome = play(control, "book-agent", task)
    assert outcome.status == "waiting"
    assert effects(mood) == ["find Emma", "order 3 Emma"]
    (request,) = outcome.requests
    # Changed arguments are checked against the recorded schema, without the server.
    with pytest.raises(Exception, match="copies: 'many' is not of type 'integer'"):
        control.decide(
            request.approval_id, "mara-lindt", "approved_changed", "", {"title": "Emma", "copies": "many"}
        )
    changed = {"title": "Emma", "copies": 11}
    control.decide(request.approval_id, "mara-lindt", "approved_changed", "one too many", changed)
    outcome = resume(control, outcome.run_id)
    assert outcome.end_state == "completed"
    assert effects(mood) == ["find Emma", "order 3 Emma", "order 11 Emma"]
    ended = events(workspace, outcome.run_id, "tool_call_finished")
    assert [str(event["tool_outcome"]) for event in ended] == [
        "succeeded",
        "failed",
        "succeeded",
        "failed",
        "succeeded",
        "succeeded",
    ]
    assert (ended[1]["tool_error_class"], ended[3]["tool_error_class"]) == ("invalid_args", "upstream")
    answer = str(outcome.answer)
    assert '"price_usd": "12.50"' in answer
    assert "MOOD_FILE" in answer
    assert "COMPANY_SECRET" not in answer
    control.close()


def test_a_server_that_shows_something_else_is_refused_until_a_new_version_is_declared(
    workspace: Workspace, mood: Path, fleetbook: Command
) -> None:
    control = company(workspace, *DECLARED)
    assert play(control, "book-agent", order(1)).end_state == "completed"
    mood.write_text("friendly")
    outcome = play(control, "book-agent", order(2))
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (end["tool_outcome"], end["refusal_rule"]) == ("refused", "mcp:schema-changed")
    assert "shows another description or schema of order_book than version 1" in str(outcome.answer)
    assert effects(mood) == ["order 1 Emma"]
    control.close()
    code, out, _ = fleetbook("mcp", "pin", "order_book", "--as", "priya-nair")
    assert code == 0
    assert "First send the customer's address" in out
    assert "order_book is declared with schema_sha256" in out
    with Control(workspace) as control:
        outcome = play(control, "book-agent", order(2))
        assert control.run(outcome.run_id).agent_version == 2
    assert effects(mood) == ["order 1 Emma", "order 2 Emma"]
    mood.write_text("gone")
    code, out, _ = fleetbook("mcp", "list")
    assert code == 1
    assert "order_book  consequential  the server shows no such tool" in out
    with Control(workspace) as control:
        outcome = play(control, "book-agent", order(2))
    assert events(workspace, outcome.run_id, "tool_call_finished")[0]["refusal_rule"] == "mcp:tool-gone"


def test_a_high_risk_agent_gets_only_tools_that_a_person_reviewed(
    workspace: Workspace, mood: Path, fleetbook: Command
) -> None:
    control = company(workspace, *DECLARED, HIGH)
    outcome = play(control, "book-agent", order(1))
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert end["tool_outcome"] in ("refused", "failed")
    assert effects(mood) == []
    control.close()
    code, _, error = fleetbook("mcp", "pin", "order_book", "--as", "mara-lindt")
    assert (code, "may not apply_registry" in error) == (1, True)
    code, out, _ = fleetbook("registry", "check")
    assert "may not use order_book of a server before it is reviewed" in out


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_server_that_breaks_off_in_a_consequential_call_leaves_it_to_a_person(
    workspace: Workspace, mood: Path, how: str
) -> None:
    mood.write_text(how)
    short = ("effect: consequential, timeout_s: 30", "effect: consequential, timeout_s: 3")
    control = company(workspace, *DECLARED, *([short] if how == "hangs" else []))
    outcome = play(control, "book-agent", order(1))
    assert (outcome.status, outcome.reason) == ("waiting", "unknown_outcome")
    assert effects(mood) == ["order 1 Emma"]
    mood.write_text("")
    (request,) = outcome.requests
    control.decide(request.approval_id, "mara-lindt", "approved", "the shop knows nothing of it")
    assert resume(control, outcome.run_id).end_state == "completed"
    assert effects(mood) == ["order 1 Emma", "order 1 Emma"]
    control.close()


def test_a_server_by_url_is_reached_over_http(workspace: Workspace, mood: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "tests" / "mcp_server.py"), "--http", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stderr is not None
            assert any("running on" in line for line in running.stderr)
            head, _, tail = SERVER.partition("    command:")
            url = f"{head}    url: http://127.0.0.1:{port}/mcp\n" + tail.partition("FILE]\n")[2]
            declared = (("tools:\n  lookup", url + "  lookup"), DECLARED[1])
            with company(workspace, *declared) as control:
                outcome = play(control, "book-agent", order(2))
        finally:
            running.terminate()
    assert outcome.end_state == "completed"
    assert effects(mood) == ["order 2 Emma"]


def test_a_server_that_cannot_be_reached_is_a_failed_call_and_names_why(workspace: Workspace) -> None:
    away = (json.dumps(sys.executable), '"no-such-command"')
    declared = ((DECLARED[0][0], DECLARED[0][1].replace(*away)), DECLARED[1])
    control = company(workspace, *declared)
    outcome = play(control, "book-agent", 'find_book {"title": "Emma"}')
    assert outcome.end_state == "completed"
    (end,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert end["tool_outcome"] == "failed"
    assert "find_book cannot be called" in str(outcome.answer)
    control.close()
