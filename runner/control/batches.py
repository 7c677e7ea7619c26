"""Several decisions in one go: each is judged by itself, each is its own event, a batch id ties them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ingest.contract import new_event_id
from runner.control import approvals, decisions
from runner.control.approvals import Request
from runner.control.decisions import Wish, find_request
from runner.errors import BatchRefused, DecisionRefused

if TYPE_CHECKING:
    from runner.control.core import Core


class Decided(NamedTuple):
    """One decision of a batch: the event that tells it, or the refusal."""

    request: Request
    event_id: str | None
    refusal: DecisionRefused | None


def alike(control: Core, approval_id: str) -> list[str]:
    """Waiting requests of the same agent for the same tool by the same rule, this one first.

    Raises NotFound.
    """
    with control.store.read() as connection:
        one = find_request(connection, approval_id)
        waiting = approvals.waiting(connection)
    same = [other.approval_id for other in waiting if _kind(other) == _kind(one)]
    return [approval_id, *(other for other in same if other != approval_id)]


def decide_batch(
    control: Core, approval_ids: Sequence[str], wish: Wish, *, recorded_via: str | None = None
) -> list[Decided]:
    """Decide requests for one tool with a shared reason; one that is refused does not stop the others.

    Raises NotFound, and BatchRefused when they are for several tools or arguments are to be changed.
    """
    with control.store.read() as connection:
        requests = [find_request(connection, one) for one in dict.fromkeys(approval_ids)]
    tools = sorted({request.tool_name for request in requests})
    if len(tools) > 1:
        raise BatchRefused(f"the requests are for several tools: {', '.join(tools)}")
    if wish.changed_arguments is not None:
        raise BatchRefused("arguments can be changed in one request at a time")
    shared = replace(wish, batch_id=f"ba-{new_event_id(control.store.clock())}")
    return [_decide(control, request, shared, recorded_via) for request in requests]


def _decide(control: Core, request: Request, wish: Wish, recorded_via: str | None) -> Decided:
    try:
        event_id = decisions.decide(control, request.approval_id, wish, recorded_via=recorded_via)
    except DecisionRefused as refusal:
        return Decided(request, None, refusal)
    return Decided(request, event_id, None)


def _kind(request: Request) -> tuple[str, str, str]:
    return request.agent_id, request.tool_name, request.rule_id
