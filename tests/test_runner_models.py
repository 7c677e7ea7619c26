"""Chains of models and what goes wrong on the way, over HTTP against a scripted server."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import sys
from importlib.util import find_spec

import pytest

from ingest.workspace import Workspace
from runner.agent.session import Pacing
from runner.control.providers import PROVIDERS, check_model
from runner.errors import ModelUnusable, RunRefused
from tests.model_world import CHAIN, COST, PRICES, SEARCH, SINGLE, World, endpoint
from tests.openai_stub import Answer, calls, fails, says
from tests.runner_company import company, events, fleetbook, told

__all__ = ["endpoint", "fleetbook"]


def test_when_a_model_keeps_failing_the_next_one_answers_at_its_own_price(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, CHAIN, PRICES)
    requests = world.ask(monkeypatch, fails(503), fails(503), fails(503), calls(SEARCH), says("Done."))
    assert world.ended.end_state == "completed"
    # The spare model stays in hand for the rest of the run.
    assert [request["model"] for request in requests] == ["tiny", "tiny", "tiny", "spare", "spare"]
    assert world.finished(
        "turn_index", "attempt", "requested_model", "served_model", "list_cost_nano_usd"
    ) == [
        (0, 1, "tiny", None, 0),
        (0, 2, "tiny", None, 0),
        (0, 3, "tiny", None, 0),
        (0, 4, "spare", "tiny-served", 2 * COST),
        (1, 1, "spare", "tiny-served", 2 * COST),
    ]
    assert world.finished("price_version")[-1] == ("p2",)
    asked = events(workspace, world.ended.run_id, "turn_requested")
    assert [event["requested_model"] for event in asked] == ["tiny"] * 3 + ["spare"] * 2
    assert world.wallet() == (4 * COST, 0)


@pytest.mark.parametrize(
    "failure",
    [
        fails(401, "invalid_api_key"),
        fails(404, "model_not_found"),
        fails(429, "insufficient_quota"),
        fails(400, "context_length_exceeded"),
    ],
    ids=["key", "no such model", "quota", "context"],
)
def test_what_waiting_cannot_mend_passes_to_the_next_model_at_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, failure: Answer
) -> None:
    world = World(workspace, CHAIN, PRICES)
    requests = world.ask(monkeypatch, failure, says("Done."))
    assert [request["model"] for request in requests] == ["tiny", "spare"]
    assert world.ended.end_state == "completed"
    assert world.wallet() == (2 * COST, 0)


def test_a_request_that_is_refused_for_what_it_says_is_not_sent_to_another_model(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, CHAIN, PRICES)
    assert len(world.ask(monkeypatch, fails(400, "invalid_request"))) == 1
    assert world.ended.end_state == "failed"


def test_a_model_without_a_price_is_passed_over_and_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpriced = (CHAIN[0], CHAIN[1].replace("openai-chat:tiny", "openai-chat:unpriced"))
    world = World(workspace, unpriced, PRICES)
    requests = world.ask(monkeypatch, says("Done."))
    assert [request["model"] for request in requests] == ["spare"]
    (skipped,) = events(workspace, world.ended.run_id, "model_skipped")
    assert (skipped["requested_model"], skipped["refusal_rule"]) == ("unpriced", "unpriced-model")
    assert skipped["wallet_id"] == "team:support:month"
    (end,) = events(workspace, world.ended.run_id, "run_ended")
    assert end["declared_event_count"] == len(told(workspace, world.ended.run_id))


def test_a_model_that_cannot_be_called_from_here_is_passed_over_and_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = (CHAIN[0], CHAIN[1].replace("openai-chat:tiny", "bedrock:big"))
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    world = World(workspace, elsewhere, PRICES)
    requests = world.ask(monkeypatch, says("Done."))
    assert [request["model"] for request in requests] == ["spare"]
    (skipped,) = events(workspace, world.ended.run_id, "model_skipped")
    assert (skipped["provider_name"], skipped["refusal_rule"]) == ("bedrock", "model-unusable")


def test_a_chain_without_any_usable_or_priced_model_is_refused_before_it_starts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = company(workspace, CHAIN)
    with pytest.raises(RunRefused, match="has no price"):
        control.request_run("triage-agent", "What is open?", "jon-vass")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelUnusable, match="OPENAI_API_KEY is not set"):
        control.request_run("triage-agent", "What is open?", "jon-vass")
    control.close()


# What goes wrong on the wire


@pytest.mark.parametrize(
    ("failure", "error_type"),
    [
        (Answer(body=b"", hang_s=30), "ModelRequestTimeout"),
        (Answer(body=b'{"id": "chatcmpl-1", "cho', said_bytes=400), "ModelConnectionError"),
        (Answer(is_reset=True), "ModelConnectionError"),
    ],
    ids=["silence", "cut body", "reset"],
)
def test_an_attempt_that_broke_off_is_charged_at_its_hold_and_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, failure: Answer, error_type: str
) -> None:
    world = World(workspace, SINGLE, PRICES)
    hasty = Pacing(backoff_s=(0.0,), longest_retry_after_s=0.0, attempt_timeout_s=1.0)
    world.ask(monkeypatch, failure, says("Done."), pacing=hasty)
    assert world.ended.end_state == "completed"
    assert world.finished("attempt", "error_type", "list_cost_nano_usd") == [
        (1, error_type, None),
        (2, None, COST),
    ]
    assert world.wallet() == (world.holds_charged()[0] + COST, 0)


@pytest.mark.parametrize(
    "body",
    [b"<html>gateway</html>", b'{"id": "chatcmpl-1", "choi', b"[]", b'{"choices": []}', b"null", b""],
    ids=["html", "half", "list", "no choices", "null", "nothing"],
)
def test_an_answer_that_cannot_be_read_may_have_been_billed_and_fails_with_a_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    world = World(workspace, SINGLE, PRICES)
    assert len(world.ask(monkeypatch, Answer(body=body))) == 1
    assert world.ended.end_state == "failed"
    assert str(world.ended.reason).startswith("Run failed: the ")
    assert world.finished("list_cost_nano_usd") == [(None,)]
    assert world.wallet() == (world.holds_charged()[0], 0)


def _in(seconds: float) -> str:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return email.utils.format_datetime(moment, usegmt=True)


@pytest.mark.parametrize("kind", ["seconds", "date", "milliseconds"])
def test_the_provider_says_how_long_to_wait(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    headers = {
        "seconds": {"retry_after": "1"},
        "date": {"retry_after": _in(8)},
        "milliseconds": {"retry_after_ms": "250"},
    }[kind]
    world = World(workspace, SINGLE, PRICES)
    patient = Pacing(backoff_s=(0.0,), longest_retry_after_s=0.3)
    world.ask(monkeypatch, fails(429, "rate_limit_exceeded", **headers), says("Done."), pacing=patient)
    assert world.ended.end_state == "completed"
    ended = events(workspace, world.ended.run_id, "turn_finished")[0]["occurred_at"]
    again = events(workspace, world.ended.run_id, "turn_requested")[1]["occurred_at"]
    assert isinstance(ended, dt.datetime)
    assert isinstance(again, dt.datetime)
    wanted = 0.25 if kind == "milliseconds" else 0.3  # never longer than our own patience
    assert wanted <= (again - ended).total_seconds()


def test_a_tool_call_cut_in_its_arguments_is_never_executed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, SINGLE, PRICES)
    cut = calls(("c1", "search_tickets", '{"query": "la'), finish_reason="length")
    world.ask(monkeypatch, cut, calls(SEARCH), says("Done."))
    asked = events(workspace, world.ended.run_id, "tool_call_requested")
    ends = events(workspace, world.ended.run_id, "tool_call_finished")
    assert len(asked) == len(ends)
    assert (ends[0]["tool_outcome"], ends[0]["tool_error_class"]) == ("failed", "invalid_args")
    assert world.finished("finish_reason")[0] == ("length",)


# Streams


def test_every_provider_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix, provider in PROVIDERS.items():
        for group in provider.variables:
            for name in group:
                monkeypatch.delenv(name, raising=False)
        if prefix == "sim":
            continue
        with pytest.raises(ModelUnusable) as error:
            check_model(f"{prefix}:model")
        text = str(error.value)
        assert all(name in text for group in provider.variables for name in group)
        if provider.sdk and find_spec(provider.sdk.partition(".")[0]) is None:
            assert f'pip install "fleetbook[{provider.extra}]"' in text


def test_the_control_plane_knows_providers_without_the_agent_loop_or_an_sdk() -> None:
    import subprocess

    code = (
        "import sys, runner.control.plane, runner.control.providers as p; p.provider_name('anthropic:x');"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('pydantic_ai', 'openai') "
        "or m in ('runner.agent.loop', 'runner.agent.models')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_openai_itself_is_called_by_its_responses_api(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {"type": "output_text", "text": "Done.", "annotations": []}
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [text]}
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 120,
    }
    body = {
        "id": "r1",
        "object": "response",
        "created_at": 1_790_000_000,
        "model": "tiny-served",
        "status": "completed",
        "output": [message],
        "usage": usage,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    world = World(workspace, (SINGLE[0], "model: openai:tiny"), PRICES)
    (request,) = world.ask(monkeypatch, Answer(body=json.dumps(body).encode()))
    assert world.ended.answer == "Done."
    assert request["store"] is False
    assert world.finished("list_cost_nano_usd", "provider_name") == [(COST, "openai-compatible")]
