"""What the events of one run add up to, for comparison with the warehouse's row of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

_NANO = 1_000_000_000
_EXECUTED = ("succeeded", "failed", "unknown")


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What the events of a run add up to; cost and tokens are None when no turn states them.

    ``unpriced`` counts finished turns without a cost.
    """

    turns: int
    tool_calls: int
    tool_errors: int
    approvals: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    unpriced: int


def totals(events: Iterable[Mapping[str, object]]) -> Totals:
    """Turns, executed agent-side tool calls, tokens and cost of ``events``, added up."""
    listed = list(events)
    turns = [event for event in listed if event["event_type"] == "turn_finished"]
    calls = [
        event
        for event in listed
        if event["event_type"] == "tool_call_finished"
        and event.get("called_by") != "user"
        and event.get("tool_outcome") in _EXECUTED
    ]
    costs = [_int(event, "list_cost_nano_usd", "reported_cost_nano_usd") for event in turns]
    known = [cost for cost in costs if cost is not None]
    return Totals(
        turns=len(turns),
        tool_calls=len(calls),
        tool_errors=sum(event.get("tool_outcome") == "failed" for event in calls),
        approvals=sum(event["event_type"] == "approval_requested" for event in listed),
        input_tokens=_sum(turns, "input_tokens"),
        output_tokens=_sum(turns, "output_tokens"),
        cost_usd=Decimal(sum(known)) / _NANO if known else None,
        unpriced=len(costs) - len(known),
    )


def turns(told: Totals, known: Mapping[str, object] | None) -> int | None:
    """Model turns of the run: those among its events, else what its source states; None when nobody says.

    ``known`` is the warehouse's row of the run, None before it is built.
    """
    if told.turns or known is None:
        return told.turns
    stated = known["turn_count"]
    return stated if isinstance(stated, int) else None


def _int(event: Mapping[str, object], *names: str) -> int | None:
    found = (event.get(name) for name in names)
    return next((number for number in found if isinstance(number, int)), None)


def _sum(events: Iterable[Mapping[str, object]], name: str) -> int | None:
    found = [amount for event in events if (amount := _int(event, name)) is not None]
    return sum(found) if found else None
