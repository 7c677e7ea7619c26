"""Decides with the numbers of a card: they are kept with the decision, and a promotion passes its gates."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from app.review.cards import Card, snapshot
from app.review.evidence import Evidence
from app.review.quarters import Quarter
from app.review.rules import Rules
from runner.control import reviews
from runner.errors import ReviewRefused

if TYPE_CHECKING:
    from runner.control.core import Core


def decide(
    control: Core,
    agent_id: str,
    card: Card | None,
    *,
    quarter: Quarter,
    rules: Rules,
    decision: str,
    person_id: str,
    reason: str,
    sunset_at: dt.datetime | None = None,
    evidence: Evidence | None = None,
) -> reviews.Decided:
    """Decide for one agent; ``card`` None is an agent without numbers in the quarter.

    ``evidence`` goes into the task that a refresh opens, ``sunset_at`` is when a retirement takes effect.

    Raises ReviewRefused when a gate of a promotion is not passed: gates come from the warehouse and cannot be
    argued with; and as :func:`runner.control.reviews.decide`.
    """
    if decision == "promote":
        missed = card.unmet_gates if card else ("there are no numbers of it in this quarter",)
        if missed:
            advice = f"`fleetbook review --quarter {quarter} --agent {agent_id}` shows the gates."
            raise ReviewRefused(agent_id, f"a promotion needs more: {'; '.join(missed)}", advice)
    wish = reviews.Wish(
        agent_id=agent_id,
        review_period=str(quarter),
        decision=decision,
        person_id=person_id,
        reason=reason,
        proposal=card.proposal.kind if card else None,
        rule=card.proposal.rule if card else None,
        snapshot=snapshot(card, rules) if card else None,
        effective_at=sunset_at,
        evidence=evidence.plain() if evidence else None,
    )
    return reviews.decide(control, wish)
