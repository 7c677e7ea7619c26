"""Chains of models, streams, and what goes wrong on the way, over HTTP against a scripted server."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import sys
from importlib.util import find_spec

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.agent.loop import Outcome
from runner.agent.progress import Progress, TurnDone, TurnText
from runner.agent.session import Pacing
from runner.control.plane import Control
from runner.control.providers import PROVIDERS, check_model
from runner.control.tables import holds, wallets
from runner.errors import ModelUnusable, RunRefused
from runner.worker import run_until_parked
from tests.openai_stub import Answer, calls, fails, says, serving, streams
from tests.runner_company import HASTY, Command, company, events, fleetbook, told

__all__ = ["fleetbook"]

CHAIN = (
    "model: sim:triage",
    "model: openai-chat:tiny\n    fallback_models: [openai-chat:spare]",
)
# 1 and 10 USD per million tokens, the spare one at the double: 1,000 and 10,000 nano-USD a token.
PRICES = (
    "prices:\n",
    "prices:\n"
    "  - {model: tiny, input_usd_per_mtok: 1, output_usd_per_mtok: 10, version: p1}\n"
    "  - {model: spare, input_usd_per_mtok: 2, output_usd_per_mtok: 20, version: p2}\n",
)
SINGLE = ("model: sim:triage", "model: openai-chat:tiny")
SEARCH = ("call_1", "search_tickets", '{"query": "late", "limit": 2}')
# Of an answer with the stub's usage of 100 tokens in and 20 out.
COST = 100 * 1_000 + 20 * 10_000


@pytest.fixture(autouse=True)
def _endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any-word")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


class World:
    """A company whose triage agent talks to the stub: asks, and what the log and the wallet say after it."""

    def __init__(self, workspace: Workspace, *changes: tuple[str, str]) -> None:
        self.workspace = workspace
        self.control: Control = company(workspace, *changes)
        self.heard: list[Progress] = []
        self.outcome: Outcome | None = None

    def ask(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *script: Answer,
        pacing: Pacing = HASTY,
        is_streaming: bool = False,
    ) -> list[dict[str, object]]:
        """Play one run against the scripted answers; returns the requests that the server got."""
        with serving(*script) as stub:
            monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
            run_id = self.control.request_run("triage-agent", "What is open?", "jon-vass")
            self.outcome = run_until_parked(
                self.control, run_id, pacing=pacing, watch=self.heard.append, is_streaming=is_streaming
            )
        self.control.close()
        return stub.requests

    @property
    def ended(self) -> Outcome:
        """The outcome of the run, which has ended."""
        assert self.outcome is not None
        return self.outcome

    def finished(self, *columns: str) -> list[tuple[object, ...]]:
        """These columns of every turn_finished."""
        found = events(self.workspace, self.ended.run_id, "turn_finished")
        return [tuple(event.get(column) for column in columns) for event in found]

    def holds_charged(self) -> list[int]:
        """What was held for each attempt."""
        return [int(str(held)) for (held,) in self.finished("hold_nano_usd")]

    def wallet(self) -> tuple[int, int]:
        """Spent and held of the team's wallet; no hold may be left open."""
        with self.control.store.read() as connection:
            assert connection.execute(sa.select(holds)).all() == []
            this = wallets.c.wallet_id == "team:support:month"
            row = connection.execute(sa.select(wallets).where(this)).one()
        return row.spent_nano_usd, row.held_nano_usd


# The chain


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


def test_text_is_told_as_it_arrives_and_the_turn_is_settled_as_any_other(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, SINGLE, PRICES)
    script = (
        streams("Let me ", "look.", tool_calls=(SEARCH,), finish_reason="tool_calls"),
        streams("Two ", "are ", "open."),
    )
    requests = world.ask(monkeypatch, *script, is_streaming=True)
    assert (world.ended.end_state, world.ended.answer) == ("completed", "Two are open.")
    assert all(request["stream_options"] == {"include_usage": True} for request in requests)
    pieces = [(one.turn_index, one.text) for one in world.heard if isinstance(one, TurnText)]
    assert pieces == [(0, "Let me "), (0, "look."), (1, "Two "), (1, "are "), (1, "open.")]
    assert [one.text for one in world.heard if isinstance(one, TurnDone)] == ["Let me look.", "Two are open."]
    assert (
        world.finished("input_tokens", "output_tokens", "list_cost_nano_usd", "served_model")
        == [(100, 20, COST, "tiny-served")] * 2
    )
    assert world.wallet() == (2 * COST, 0)
    (call,) = events(workspace, world.ended.run_id, "tool_call_finished")
    assert call["tool_outcome"] == "succeeded"


def test_a_stream_that_breaks_off_may_have_been_billed_and_is_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, SINGLE, PRICES)
    script = (streams("Two are", is_cut=True), streams("Two are open."))
    world.ask(monkeypatch, *script, is_streaming=True)
    assert world.ended.answer == "Two are open."
    assert world.finished("attempt", "error_type", "list_cost_nano_usd") == [
        (1, "ModelConnectionError", None),
        (2, None, COST),
    ]
    assert world.wallet() == (world.holds_charged()[0] + COST, 0)


def test_a_stream_that_stands_still_is_given_up_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, SINGLE, PRICES)
    script = (streams("Two", " are", hang_s=30), streams("Done."))
    hasty = Pacing(backoff_s=(0.0,), attempt_timeout_s=1.0)
    world.ask(monkeypatch, *script, is_streaming=True, pacing=hasty)
    assert world.finished("error_type") == [("ModelRequestTimeout",), (None,)]
    assert world.wallet() == (world.holds_charged()[0] + COST, 0)


def test_a_stream_without_usage_is_charged_at_its_hold(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(workspace, SINGLE, PRICES)
    world.ask(monkeypatch, streams("Done.", usage=False), is_streaming=True)
    assert world.ended.end_state == "completed"
    assert world.finished("list_cost_nano_usd", "input_tokens") == [(None, None)]
    assert world.wallet() == (world.holds_charged()[0], 0)


@pytest.mark.parametrize("option", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_the_command_shows_the_same_text_streamed_and_whole(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, fleetbook: Command, option: tuple[str, ...]
) -> None:
    company(workspace, SINGLE, PRICES).close()
    with serving(
        says("Two [bold]are[/bold] open.") if option else streams("Two [bold]", "are[/bold] open.")
    ) as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        code, out, _ = fleetbook("run", "triage-agent", "What is open?", "--as", "jon-vass", *option)
    assert code == 0
    assert stub.requests[0].get("stream", False) is (not option)
    assert out.count("Two [bold]are[/bold] open.\n") == 1
    assert "100 in, 20 out · 0.0003000 USD" in out


# Providers


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
