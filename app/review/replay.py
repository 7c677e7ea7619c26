"""Replays a past review from what was kept with its decision, and names what is otherwise today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.errors import ReviewError
from app.review.cards import Card, card, snapshot
from app.review.figures import Figures, Subject, Version
from app.review.propose import Proposal
from app.review.quarters import Quarter
from app.review.rules import Rules

# Bounds are made from the counts; they are kept for readers.
_DERIVED = ("success_low", "success_high")


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What was proposed then, what the kept numbers propose now, and the numbers that changed since.

    ``changes`` are figures of the reviewed quarters: name, kept, and what the warehouse has today.
    """

    kept: Proposal
    again: Proposal
    changes: tuple[tuple[str, object, object], ...]

    @property
    def is_same(self) -> bool:
        """True when the kept numbers and rules lead to the same proposal, word for word."""
        return self.kept == self.again


def replay(agent_id: str, kept: Mapping[str, Any], today: Card | None) -> Replay:
    """Propose again from a decision's snapshot; ``today`` is the card of the same quarter as it is now.

    Raises ReviewError for a decision that was made without numbers, or by a release that kept fewer.
    """
    if "subject" not in kept:
        raise ReviewError(
            f"Nothing to replay: the decision about {agent_id} was kept without its numbers. "
            "`fleetbook review decisions` shows what was decided."
        )
    rules = Rules.model_validate(kept["rules"])
    again = card(subject_of(kept), rules)
    changes = _changes(kept, snapshot(today, rules)) if today is not None else ()
    return Replay(kept=Proposal(**kept["proposal"]), again=again.proposal, changes=changes)


def subject_of(kept: Mapping[str, Any]) -> Subject:
    """The agent under review as it was when the snapshot was made."""
    facts = dict(kept["subject"])
    for name in ("declared_on", "first_run_on"):
        facts[name] = dt.date.fromisoformat(facts[name]) if facts[name] else None
    quarters = {Quarter.parse(text): _figures(some) for text, some in kept["quarters"].items()}
    versions = tuple(
        Version(agent_version=int(number), figures=_figures(some))
        for number, some in sorted(kept["versions"].items(), key=lambda one: -int(one[0]))
    )
    return Subject(quarter=Quarter.parse(kept["quarter"]), by_quarter=quarters, versions=versions, **facts)


def _figures(kept: Mapping[str, Any]) -> Figures:
    values = {name: value for name, value in kept.items() if name not in _DERIVED}
    for name, value in values.items():
        if name.endswith("_usd") and value is not None:
            values[name] = Decimal(value)
        elif name == "last_run_date" and value is not None:
            values[name] = dt.date.fromisoformat(value)
    return Figures(**values)


def _changes(kept: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[tuple[str, object, object], ...]:
    found = []
    for quarter, figures in kept["quarters"].items():
        today = now["quarters"].get(quarter, {})
        found += [
            (f"{quarter} {name}", value, today.get(name))
            for name, value in figures.items()
            if name not in _DERIVED and value != today.get(name)
        ]
    return tuple(found)
