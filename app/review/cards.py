"""A review of a quarter: one card per agent, in the order in which a meeting goes through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal

from app.review.figures import Figures, Rate, Subject
from app.review.gather import gather
from app.review.propose import KINDS, Proposal, propose, unmet
from app.review.quarters import Quarter
from app.review.rules import Rules
from app.warehouse import Scoped

# What the rules ask of an agent beside its figures, and what names it.
_SUBJECT = (
    "agent_id",
    "agent_name",
    "team_id",
    "owner_id",
    "risk_class",
    "status",
    "expected_use",
    "template_id",
    "declared_on",
    "first_run_on",
    "open_cases",
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """One agent with its proposal, the gates of a promotion it misses, and its declared value in USD.

    ``value_usd`` is successes × declared minutes × the declared hour, None where nobody declared minutes.
    """

    subject: Subject
    proposal: Proposal
    unmet_gates: tuple[str, ...]
    value_usd: Decimal | None

    @property
    def success(self) -> Rate:
        """Success of the reviewed quarter."""
        return self.subject.figures().success


def make_cards(
    scoped: Scoped,
    quarter: Quarter,
    rules: Rules,
    *,
    is_demo: bool,
    open_cases: Mapping[str, int] | None = None,
) -> list[Card]:
    """A card per agent of the scope: proposals to retire first, within each kind the surest success first.

    Agents with too few runs to be ranked stand at the end of their kind.
    """
    subjects = gather(scoped, quarter, is_demo=is_demo, open_cases=open_cases)
    cards = [card(subject, rules) for subject in subjects]
    return sorted(cards, key=lambda one: _place(one, rules))


def card(subject: Subject, rules: Rules) -> Card:
    """The card of one agent."""
    return Card(
        subject=subject,
        proposal=propose(subject, rules),
        unmet_gates=tuple(unmet(subject, rules)),
        value_usd=_value(subject, rules),
    )


def _place(one: Card, rules: Rules) -> tuple[int, bool, float, str]:
    is_small = one.success.n < rules.minimum_runs
    return (KINDS.index(one.proposal.kind), is_small, -(one.success.low or 0.0), one.subject.agent_id)


def _value(subject: Subject, rules: Rules) -> Decimal | None:
    minutes = rules.value.minutes_saved_per_success
    declared = minutes.get(subject.agent_id, minutes.get(subject.template_id or ""))
    if declared is None:
        return None
    hours = Decimal(str(declared)) * subject.figures().successes / 60
    return (hours * rules.value.hour_usd).quantize(Decimal("0.01"))


def snapshot(one: Card, rules: Rules) -> dict[str, object]:
    """Everything the proposal was made from, as JSON data; kept with the decision, unchanged for ever."""
    subject = one.subject
    return {
        "agent_id": subject.agent_id,
        "quarter": str(subject.quarter),
        "status": subject.status,
        "risk_class": subject.risk_class,
        "expected_use": subject.expected_use,
        "proposal": asdict(one.proposal),
        "unmet_gates": list(one.unmet_gates),
        "value_usd": _plain(one.value_usd),
        "quarters": {str(quarter): _figures(some) for quarter, some in sorted(subject.by_quarter.items())},
        "versions": {str(one.agent_version): _figures(one.figures) for one in subject.versions},
        "subject": {name: _plain(getattr(subject, name)) for name in _SUBJECT},
        "rules": rules.model_dump(mode="json"),
    }


def _figures(figures: Figures) -> dict[str, object]:
    plain = {name: _plain(value) for name, value in asdict(figures).items()}
    success = figures.success
    return {**plain, "success_low": success.low, "success_high": success.high}


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else str(value)
