"""The fleet as a portfolio: value against cost with its uncertainty, who uses what, and how it spreads.

Value is declared: successes × minutes × the price of an hour. Its interval is that of the success rate; what
nobody declared is unknown, and so is what it would be worth against its cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.review.cards import Card

_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One agent: value with its bounds, known cost, and value − cost, in USD; None is unknown.

    ``unknown_cost_runs`` are runs whose cost is not exact: with them, cost is a floor and the net a ceiling.
    """

    agent_id: str
    agent_name: str
    team_id: str | None
    runs: int
    users: int
    users_before: int
    value_usd: Decimal | None
    value_low_usd: Decimal | None
    value_high_usd: Decimal | None
    cost_usd: Decimal | None
    unknown_cost_runs: int

    @property
    def net_usd(self) -> Decimal | None:
        """Value − known cost."""
        return _minus(self.value_usd, self.cost_usd)

    @property
    def net_low_usd(self) -> Decimal | None:
        """The least it is, by the lower bound of its success."""
        return _minus(self.value_low_usd, self.cost_usd)

    @property
    def net_high_usd(self) -> Decimal | None:
        """The most it is, by the upper bound of its success."""
        return _minus(self.value_high_usd, self.cost_usd)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The agents of one team: how many, made from templates, not registered, used, and their runs."""

    team_id: str
    agents: int
    from_templates: int
    unregistered: int
    used: int
    runs: int


def holdings(cards: Sequence[Card]) -> list[Holding]:
    """Every agent of the review, the surest net value first; unknown ones after, the dearest first."""
    found = [_holding(card) for card in cards]
    return sorted(found, key=_place)


def spread(cards: Sequence[Card]) -> list[Spread]:
    """Each team's agents of the review, the most first."""
    counts: Counter[str] = Counter(card.subject.team_id or "" for card in cards)
    found = []
    for team_id, number in counts.most_common():
        own = [card for card in cards if (card.subject.team_id or "") == team_id]
        found.append(
            Spread(
                team_id=team_id,
                agents=number,
                from_templates=sum(card.subject.template_id is not None for card in own),
                unregistered=sum(card.subject.status is None for card in own),
                used=sum(card.subject.figures().runs > 0 for card in own),
                runs=sum(card.subject.figures().runs for card in own),
            )
        )
    return found


def _holding(card: Card) -> Holding:
    now, before = card.subject.figures(), card.subject.figures(1)
    value, rate = card.value_usd, now.success
    per_run = value / rate.k if value is not None and rate.k else None
    return Holding(
        agent_id=card.subject.agent_id,
        agent_name=card.subject.agent_name,
        team_id=card.subject.team_id,
        runs=now.runs,
        users=now.users,
        users_before=before.users,
        value_usd=value,
        value_low_usd=_bound(per_run, rate.low, rate.n),
        value_high_usd=_bound(per_run, rate.high, rate.n),
        cost_usd=now.cost_usd,
        unknown_cost_runs=now.runs - now.runs_cost_exact,
    )


def _bound(per_success: Decimal | None, share: float | None, runs: int) -> Decimal | None:
    if per_success is None or share is None:
        return None
    return (per_success * Decimal(str(share)) * runs).quantize(_CENT)


def _minus(value: Decimal | None, cost: Decimal | None) -> Decimal | None:
    return None if value is None or cost is None else (value - cost).quantize(_CENT)


def _place(one: Holding) -> tuple[bool, Decimal, str]:
    low = one.net_low_usd
    return (low is None, -(low if low is not None else one.cost_usd or Decimal(0)), one.agent_id)
