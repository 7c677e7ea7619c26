"""Holds are never below what a call costs, and close to it once the model has counted the conversation."""

from __future__ import annotations

from ingest.workspace import Workspace
from tests.runner_company import company, events, play


def test_every_hold_covers_its_call_and_later_holds_are_close_to_it(workspace: Workspace) -> None:
    control = company(workspace)
    outcome = play(control, "triage-agent", "Sort the tickets")
    control.close()
    requested = events(workspace, outcome.run_id, "turn_requested")
    finished = events(workspace, outcome.run_id, "turn_finished")
    assert len(requested) == len(finished) >= 3
    # 400 output tokens at 8,000 nano-USD; the rest of a hold is its input bound at 2,000 nano-USD a token.
    bounds = [(int(str(event["hold_nano_usd"])) - 400 * 8_000) // 2_000 for event in requested]
    billed = [int(str(event["input_tokens"])) for event in finished]
    assert all(bound >= real for bound, real in zip(bounds, billed, strict=True))
    # The first bound is in bytes. From then on the model's own count stands in for what it has seen:
    # the third call has four times the input of the second and is not bounded much higher.
    assert bounds[0] > 10 * billed[0]
    assert bounds[2] < 5 * billed[2]
