"""The same run, told by the log alone: what happened is read back from the events and compared."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping

import pytest

from ingest.contract import Value
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from runner.agent.progress import Progress, TurnDone
from runner.control.plane import Control
from runner.worker import Worker, run_until_parked
from tests.openai_stub import calls, fails, says, serving
from tests.runner_company import HASTY, company, resume

MODEL = ("model: sim:refund", "model: openai-chat:tiny")
PRICE = (
    "prices:\n",
    "prices:\n  - {model: tiny, input_usd_per_mtok: 1, output_usd_per_mtok: 10, version: p1}\n",
)
REFUND = {"order_id": "W-2211", "amount_usd": "240", "reason": "late"}


def told_by_the_log(workspace: Workspace, run_id: str) -> list[tuple[object, ...]]:
    """The run as one line per event, with the texts that the log keeps; nothing else is asked."""
    found = run_events(workspace, run_id)
    texts = payload_texts(workspace, [str(one["payload_id"]) for one in found if one.get("payload_id")])
    return [_line(one, texts.get(str(one.get("payload_id")))) for one in found]


_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "turn_requested": ("turn_index", "attempt"),
    "turn_finished": ("turn_index", "attempt", "error_type"),
    "tool_call_requested": ("call_index", "tool_name"),
    "tool_call_finished": ("call_index", "tool_name", "tool_outcome", "refusal_rule"),
    "approval_requested": ("call_index", "tool_name"),
    "approval_decided": ("person_id", "decision", "reason"),
    "run_paused": ("pause_reason",),
    "run_ended": ("end_state",),
}


def _line(event: Mapping[str, Value], text: str | None) -> tuple[object, ...]:
    kind = str(event["event_type"])
    shown: object = text
    if text is not None and kind.startswith(("tool_call", "approval")):
        try:
            shown = json.loads(text)
        except json.JSONDecodeError:
            shown = text
    return (kind, *(event.get(column) for column in _COLUMNS.get(kind, ())), shown)


def test_a_run_with_a_retry_a_refused_tool_and_changed_arguments_is_told_whole(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any-word")
    heard: list[Progress] = []
    control = company(workspace, MODEL, PRICE)
    asks = calls(
        ("c1", "lookup_order", '{"order_id": "W-2211"}'),
        ("c2", "wire_money", "{}"),
        ("c3", "refund_payment", json.dumps(REFUND)),
    )
    with serving(fails(503), asks, says("Refunded 200 USD.")) as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        run_id = control.request_run("refund-agent", "Refund W-2211", "jon-vass")
        parked = run_until_parked(control, run_id, pacing=HASTY, watch=heard.append)
        assert parked is not None
        (request,) = parked.requests
        changed = {**REFUND, "amount_usd": "200"}
        control.decide(request.approval_id, "mara-lindt", "approved_changed", "only the item", changed)
        outcome = resume(control, run_id)
        sent = stub.requests[-1]["messages"]
    control.close()

    assert (outcome.end_state, outcome.answer) == ("completed", "Refunded 200 USD.")
    lines = told_by_the_log(workspace, run_id)
    looked_up, refund = _result(lines, 0), _result(lines, 2)
    refused = "There is no tool wire_money. Tools of this agent: lookup_order, refund_payment."
    assert lines == [
        ("run_requested", "Refund W-2211"),
        ("run_started", None),
        ("turn_requested", 0, 1, None),
        ("turn_finished", 0, 1, "ModelUnavailableError", None),
        ("turn_requested", 0, 2, None),
        ("turn_finished", 0, 2, None, None),
        ("tool_call_requested", 0, "lookup_order", {"order_id": "W-2211"}),
        ("tool_call_requested", 1, "wire_money", {}),
        ("tool_call_requested", 2, "refund_payment", REFUND),
        ("tool_call_finished", 1, "wire_money", "refused", "unknown-tool", refused),
        ("tool_call_finished", 0, "lookup_order", "succeeded", None, looked_up),
        ("approval_requested", 2, "refund_payment", REFUND),
        ("run_paused", "approval", None),
        ("approval_decided", "mara-lindt", "approved_changed", "only the item", changed),
        ("run_resumed", None),
        ("approval_consumed", None),
        ("tool_call_finished", 2, "refund_payment", "succeeded", None, refund),
        ("turn_requested", 1, 1, None),
        ("turn_finished", 1, 1, None, "Refunded 200 USD."),
        ("run_ended", "completed", "Refunded 200 USD."),
    ]
    # What the model was sent in the end is what the log says that the tools gave back.
    assert isinstance(sent, list)
    given = {one["tool_call_id"]: one["content"] for one in sent if one["role"] == "tool"}
    assert json.loads(given["c1"]) == looked_up
    assert json.loads(given["c3"]) == refund
    assert isinstance(refund, dict)
    assert refund["amount_usd"] == "200"
    # Every attempt that a person saw, with its cost, is in the log, with what was held for it.
    attempts = [event for event in run_events(workspace, run_id) if event["event_type"] == "turn_finished"]
    seen = [one.cost_nano_usd for one in heard if isinstance(one, TurnDone)]
    assert seen == [event["list_cost_nano_usd"] for event in attempts][: len(seen)] == [0, 300_000]
    assert all(int(str(event["hold_nano_usd"])) > 0 for event in attempts)
    (end,) = [event for event in run_events(workspace, run_id) if event["event_type"] == "run_ended"]
    assert end["declared_event_count"] == len(lines)


def _result(lines: list[tuple[object, ...]], call_index: int) -> object:
    return next(line[-1] for line in lines if line[:2] == ("tool_call_finished", call_index))


def test_a_hundred_runs_at_once_in_one_worker_all_complete_and_each_is_told_whole(
    workspace: Workspace,
) -> None:
    control = company(workspace)
    asked = [control.request_run("triage-agent", f"Sort ticket {n}", "jon-vass") for n in range(100)]

    async def work() -> set[str]:
        async with Worker(control, pacing=HASTY) as worker:
            return {outcome.run_id for outcome in await worker.once() if outcome.end_state == "completed"}

    assert asyncio.run(work()) == set(asked)
    _whole(control, workspace, asked)
    control.close()


def _whole(control: Control, workspace: Workspace, run_ids: list[str]) -> None:
    """Each run has the events of one, in order, as many as its end declares, and no hold is left."""
    shapes = Counter[tuple[str, ...]]()
    for run_id in run_ids:
        found = run_events(workspace, run_id)
        kinds = tuple(str(event["event_type"]) for event in found)
        assert found[-1]["declared_event_count"] == len(found)
        asked = [event["call_index"] for event in found if event["event_type"] == "tool_call_requested"]
        ended = [event["call_index"] for event in found if event["event_type"] == "tool_call_finished"]
        assert sorted(str(index) for index in asked) == sorted(str(index) for index in ended)
        shapes[tuple(sorted(kinds))] += 1
    assert len(shapes) == 1, shapes
