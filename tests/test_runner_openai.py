"""Real model endpoints, over HTTP against a scripted server: every attempt is held, settled and told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.reader import payload_texts
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.tables import holds, wallets
from runner.errors import ModelUnusable
from tests.conftest import ROOT
from tests.openai_stub import Answer, Stub, calls, fails, says, serving
from tests.runner_company import company, events, play, resume, told

MODEL = ("model: sim:triage", "model: openai-chat:tiny")
# 1 USD and 10 USD per million tokens: 1,000 and 10,000 nano-USD a token.
PRICE = (
    "prices:\n",
    "prices:\n  - {model: tiny, input_usd_per_mtok: 1, output_usd_per_mtok: 10, version: p1}\n",
)
SEARCH = ("call_1", "search_tickets", '{"query": "late", "limit": 2}')


@pytest.fixture(autouse=True)
def _endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any-word")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def at(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", stub.url)


def team_wallet(control: Control) -> tuple[int, int]:
    """Spent and held of the team's wallet; no hold may be left open."""
    with control.store.read() as connection:
        assert connection.execute(sa.select(holds)).all() == []
        row = connection.execute(sa.select(wallets).where(wallets.c.wallet_id == "team:support:month")).one()
    return row.spent_nano_usd, row.held_nano_usd


def test_a_run_with_tools_over_http(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = {
        "prompt_tokens": 300,
        "completion_tokens": 50,
        "total_tokens": 350,
        "prompt_tokens_details": {"cached_tokens": 200},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    control = company(workspace, MODEL, PRICE)
    with serving(calls(SEARCH), says("Two tickets are open.", usage=usage)) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert (outcome.end_state, outcome.answer) == ("completed", "Two tickets are open.")
    first, second = events(workspace, outcome.run_id, "turn_finished")
    assert first["list_cost_nano_usd"] == 100 * 1_000 + 20 * 10_000
    assert second["list_cost_nano_usd"] == 300 * 1_000 + 50 * 10_000
    assert (second["cache_read_tokens"], second["reasoning_tokens"]) == (200, 30)
    assert (first["requested_model"], first["served_model"]) == ("tiny", "tiny-served")
    assert (first["provider_name"], first["finish_reason"]) == ("openai-compatible", "tool_call")
    assert first["price_version"] == "p1"
    assert team_wallet(control) == (300_000 + 800_000, 0)
    # The bound that was held is the bound that was sent.
    requested = events(workspace, outcome.run_id, "turn_requested")
    assert [request["max_completion_tokens"] for request in stub.requests] == [
        event["max_output_tokens"] for event in requested
    ]
    tools = stub.requests[0]["tools"]
    assert isinstance(tools, list)
    assert {tool["function"]["name"] for tool in tools} == {"search_tickets", "classify_ticket"}
    control.close()


@pytest.mark.parametrize(
    ("failure", "error_type"),
    [
        (fails(429, "rate_limit_exceeded", retry_after="0"), "ModelRateLimitError"),
        (fails(500), "ModelServerError"),
        (fails(503), "ModelUnavailableError"),
    ],
)
def test_a_passing_failure_is_tried_again_and_each_attempt_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, failure: Answer, error_type: str
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(failure, failure, says("Done.")) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "completed"
    assert len(stub.requests) == 3
    finished = events(workspace, outcome.run_id, "turn_finished")
    assert [(event["turn_index"], event["attempt"]) for event in finished] == [(0, 1), (0, 2), (0, 3)]
    assert [event.get("error_type") for event in finished] == [error_type, error_type, None]
    assert [event["list_cost_nano_usd"] for event in finished] == [0, 0, 300_000]
    assert team_wallet(control) == (300_000, 0)
    control.close()


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        ([fails(500), fails(500), fails(500)], 3),
        ([fails(401, "invalid_api_key")], 1),
        ([fails(429, "insufficient_quota")], 1),
        ([fails(400, "context_length_exceeded")], 1),
    ],
)
def test_a_lasting_failure_ends_the_run_with_a_sentence_and_no_hold(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, script: list[Answer], requests: int
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(*script) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "failed"
    assert str(outcome.reason).startswith("Run failed: ")
    assert len(stub.requests) == requests
    (end,) = events(workspace, outcome.run_id, "run_ended")
    assert end["error_type"]
    assert end["declared_event_count"] == len(told(workspace, outcome.run_id))
    assert team_wallet(control) == (0, 0)
    control.close()


def test_an_answer_without_usage_is_charged_at_its_hold_and_its_cost_is_unknown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(says("Done.", no_usage=True)) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    (finished,) = events(workspace, outcome.run_id, "turn_finished")
    assert finished.get("list_cost_nano_usd") is None
    assert finished.get("input_tokens") is None
    assert team_wallet(control) == (finished["hold_nano_usd"], 0)
    control.close()


def test_a_connection_that_breaks_off_may_have_been_billed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(Answer(body=None), says("Done.")) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "completed"
    first, second = events(workspace, outcome.run_id, "turn_finished")
    assert first["error_type"] == "ModelConnectionError"
    assert first.get("list_cost_nano_usd") is None
    assert second["list_cost_nano_usd"] == 300_000
    assert team_wallet(control) == (int(str(first["hold_nano_usd"])) + 300_000, 0)
    control.close()


def test_a_refused_connection_was_never_billed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    control = company(workspace, MODEL, PRICE)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "failed"
    assert [event["list_cost_nano_usd"] for event in events(workspace, outcome.run_id, "turn_finished")] == [
        0
    ] * 3
    assert team_wallet(control) == (0, 0)
    control.close()


def test_a_tool_that_does_not_exist_is_refused_and_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(calls(("c1", "delete_all", "{}"), SEARCH), says("Done.")) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "completed"
    ends = {
        str(event["tool_name"]): event for event in events(workspace, outcome.run_id, "tool_call_finished")
    }
    assert (ends["delete_all"]["tool_outcome"], ends["delete_all"]["refusal_rule"]) == (
        "refused",
        "unknown-tool",
    )
    assert ends["search_tickets"]["tool_outcome"] == "succeeded"
    control.close()


@pytest.mark.parametrize(
    "arguments",
    ['{"query": "late", "limit": "many"}', '{"limit": 2}', '{"query": "x", "more": 1}', "{not json"],
)
def test_wrong_arguments_go_back_to_the_model_and_count_as_a_failed_call(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(calls(("c1", "search_tickets", arguments)), calls(SEARCH), says("Done.")) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "completed"
    first, second = events(workspace, outcome.run_id, "tool_call_finished")
    assert (first["tool_outcome"], first["tool_error_class"]) == ("failed", "invalid_args")
    assert second["tool_outcome"] == "succeeded"
    control.close()


def test_a_truncated_tool_call_fails_the_run_and_every_call_has_an_end(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, MODEL, PRICE)
    cut = calls(("c1", "search_tickets", '{"query": "la'), finish_reason="length")
    with serving(cut, cut, cut, cut) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "failed"
    asked = events(workspace, outcome.run_id, "tool_call_requested")
    ended = events(workspace, outcome.run_id, "tool_call_finished")
    assert len(asked) == len(ended) == len(stub.requests)
    control.close()


def test_parallel_calls_under_one_id_are_told_apart(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, MODEL, PRICE)
    other = ("call_1", "search_tickets", '{"query": "billing", "limit": 1}')
    with serving(calls(SEARCH, other), says("Done.")) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "completed"
    ended = events(workspace, outcome.run_id, "tool_call_finished")
    assert [(event["call_index"], event["tool_call_id"]) for event in ended] == [
        (0, "call_1"),
        (1, "call_1#2"),
    ]
    texts = payload_texts(workspace, [str(event["payload_id"]) for event in ended])
    assert ["late" in str(texts[str(event["payload_id"])]) for event in ended] == [True, False]
    control.close()


def test_a_model_that_never_answers_is_stopped_after_its_turns(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = ("instructions: You sort tickets.", "instructions: You sort tickets.\n    max_turns: 3")
    control = company(workspace, MODEL, PRICE, turns)
    with serving(*[calls(SEARCH)] * 9) as stub:
        at(stub, monkeypatch)
        outcome = play(control, "triage-agent", "What is open?")
    assert outcome.end_state == "failed"
    assert "used all 3 model turns" in str(outcome.reason)
    assert len(stub.requests) == 3
    control.close()


def test_a_process_killed_during_a_model_call_leaves_no_hold_and_its_cost_unknown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    control = company(workspace, MODEL, PRICE)
    with serving(Answer(body=b"", hang_s=60), says("Done.")) as stub:
        at(stub, monkeypatch)
        command = [sys.executable, "-m", "app.cli", "run", "triage-agent", "Sort", "--as", "jon-vass"]
        with (tmp_path / "out").open("w") as out:
            process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=out)
            assert stub.arrived.wait(60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with control.store.read() as connection:
            (hold,) = connection.execute(sa.select(holds)).all()
        outcome = resume(control, hold.run_id)
    assert outcome.end_state == "completed"
    kinds = told(workspace, hold.run_id)
    assert kinds[2:] == [
        "turn_requested",
        "run_resumed",
        "hold_swept",
        "turn_finished",
        "turn_requested",
        "turn_finished",
        "run_ended",
    ]
    interrupted, answered = events(workspace, hold.run_id, "turn_finished")
    assert (interrupted["error_type"], interrupted.get("list_cost_nano_usd")) == ("interrupted", None)
    assert (answered["turn_index"], answered["attempt"]) == (0, 2)
    (end,) = events(workspace, hold.run_id, "run_ended")
    assert end["declared_event_count"] == len(kinds) - 1  # the wallet's event is not the run's own
    with control.store.read() as connection:
        row = connection.execute(sa.select(wallets).where(wallets.c.wallet_id == "team:support:month")).one()
    assert (row.spent_nano_usd, row.held_nano_usd) == (300_000, 0)
    assert row.swept_nano_usd == hold.amount_nano_usd
    control.close()


def test_a_missing_key_is_said_before_anything_is_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, MODEL, PRICE)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelUnusable, match="OPENAI_API_KEY is not set"):
        control.request_run("triage-agent", "What is open?", "jon-vass")
    control.close()
