"""Reviews of a quarter for a page: the rules that count, decisions made, and deciding."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.desk import Desk
from app.live.reach import sees_agent
from app.review import deciding
from app.review.cards import Card
from app.review.concerns import open_cases
from app.review.evidence import gather_evidence
from app.review.quarters import Quarter
from app.review.rules import FILE_NAME, Rules, rules_of
from app.warehouse import Scoped
from runner.control import promotions, retiring, reviews
from runner.control.access import agent_target, may
from runner.control.owners import answers_for
from runner.control.retiring import Impact
from runner.control.reviews import REVIEW_DECISIONS, Decided
from runner.errors import AccessRefused

__all__ = [
    "DECISIONS",
    "Decided",
    "Impact",
    "Standing",
    "cases",
    "confirm",
    "decide",
    "decisions",
    "impact",
    "may_decide",
    "publish",
    "rules",
    "withdraw",
]

DECISIONS: tuple[str, ...] = REVIEW_DECISIONS


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The rules of this workspace and where they come from: a file of its own, or shipped."""

    rules: Rules
    source: str


def rules(desk: Desk, changes: dict[str, str] | None = None) -> Standing:
    """The rules that count, some of them changed for a what-if. Raises ReviewError."""
    found, file = rules_of(desk.control.workspace, changes)
    return Standing(rules=found, source=FILE_NAME if file else "the rules that come with the product")


def cases(desk: Desk, scoped: Scoped, quarter: Quarter, *, is_demo: bool) -> dict[str, int] | None:
    """How many cases were open about each agent when the quarter was over; None where nobody keeps them."""
    found = open_cases(desk.control, scoped, quarter, is_demo=is_demo)
    return None if found is None else dict(found)


def decisions(desk: Desk, person_id: str, quarter: Quarter) -> list[Decided]:
    """Decisions of the quarter about agents that the person may see, oldest first."""
    registry = desk.control.registry()
    with desk.control.store.read() as connection:
        found = reviews.decisions(connection, str(quarter))
    return [one for one in found if sees_agent(registry, person_id, one.agent_id)]


def may_decide(desk: Desk, person_id: str, agent_id: str) -> bool:
    """Owner, deputy and who may apply_registry decide about a declared agent."""
    registry = desk.control.registry()
    if agent_id not in registry.agents:
        return False
    return (
        answers_for(registry, person_id, agent_id)
        or may(registry, person_id, "apply_registry", agent_target(registry, agent_id)).allowed
    )


def decide(
    desk: Desk,
    person_id: str,
    quarter: Quarter,
    card: Card,
    decision: str,
    reason: str,
    *,
    scoped: Scoped,
    sunset_on: dt.date | None = None,
) -> Decided:
    """Decide for one agent, on the numbers of ``card`` as they are now; a refresh takes its evidence along.

    A retirement with ``sunset_on`` takes effect when that day begins.

    Raises ReviewRefused, AccessRefused, NotFound.
    """
    agent_id, zone = card.subject.agent_id, ZoneInfo(desk.control.registry().company.time_zone)
    evidence = None
    if decision == "refresh":
        is_demo = desk.control.workspace.is_demo
        evidence = gather_evidence(scoped, agent_id, quarter, is_demo=is_demo)
    return deciding.decide(
        desk.control,
        agent_id,
        card,
        quarter=quarter,
        rules=rules(desk).rules,
        decision=decision,
        person_id=person_id,
        reason=reason,
        sunset_at=dt.datetime.combine(sunset_on, dt.time(), zone) if sunset_on else None,
        evidence=evidence,
    )


def confirm(desk: Desk, person_id: str, quarter: Quarter, agent_id: str) -> Decided:
    """Confirm, as a second person, a decision that waits. Raises NotFound, ReviewRefused, AccessRefused."""
    return reviews.confirm(desk.control, agent_id, str(quarter), person_id)


def withdraw(desk: Desk, person_id: str, quarter: Quarter, agent_id: str, reason: str) -> None:
    """Take back a decision that waits, for a second person or for its sunset. Raises as :func:`confirm`."""
    reviews.withdraw(desk.control, agent_id, str(quarter), person_id, reason)


def publish(desk: Desk, person_id: str, quarter: Quarter, agent_id: str) -> int:
    """Write a promoted version as a template into registry.yaml; returns the template's version.

    Raises ReviewRefused, AccessRefused.
    """
    return promotions.publish(desk.control, agent_id, str(quarter), person_id).version


def impact(desk: Desk, person_id: str, agent_id: str) -> Impact:
    """What retiring the agent would touch now. Raises AccessRefused, NotFound."""
    registry = desk.control.registry()
    if not sees_agent(registry, person_id, agent_id):
        ruling = may(registry, person_id, "view_metrics", agent_target(registry, agent_id))
        raise AccessRefused(ruling.rule_id, ruling.sentence, "Ask the agent's owner.")
    return retiring.impact(desk.control, agent_id)
