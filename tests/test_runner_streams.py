"""Streams of models, and what goes wrong on the way, over HTTP against a scripted server."""

from __future__ import annotations

import pytest

from ingest.workspace import Workspace
from runner.agent.progress import TurnDone, TurnText
from runner.agent.session import Pacing
from tests.model_world import COST, PRICES, SEARCH, SINGLE, World, endpoint
from tests.openai_stub import says, serving, streams
from tests.runner_company import Command, company, events, fleetbook

__all__ = ["endpoint", "fleetbook"]


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
