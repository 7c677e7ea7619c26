"""What a review knows about an agent: numerators and denominators, never rates of rates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

import polars as pl

from app.questions.rates import wilson
from app.review.quarters import Quarter


@dataclass(frozen=True, kw_only=True)
class Rate:
    """``k`` of ``n`` with Wilson's 95 % interval; value and bounds are None when ``n`` is 0."""

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@lru_cache(maxsize=4096)  # the same rate is judged, sorted by, shown and kept: a frame each time is dear
def rate(k: int, n: int) -> Rate:
    """The rate of ``k`` of ``n``."""
    below, above = wilson(pl.lit(k), pl.lit(n))
    low, high = pl.select(low=below, high=above).row(0)
    return Rate(k=k, n=n, value=k / n if n else None, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Counts and money (USD) of an agent, or one of its versions, over some time. Cost None is unknown."""

    runs: int = 0
    successes: int = 0
    intervened: int = 0
    failed: int = 0
    cancelled: int = 0
    runs_cost_exact: int = 0
    cost_usd: Decimal | None = None
    exact_cost_usd: Decimal | None = None
    tool_calls_executed: int = 0
    tool_errors: int = 0
    users: int = 0
    user_teams: int = 0
    refusals: int = 0
    wallet_refusals: int = 0
    last_run_date: dt.date | None = None

    @property
    def success(self) -> Rate:
        """Runs completed without a person stepping in, of all terminal runs."""
        return rate(self.successes, self.runs)

    @property
    def tool_error(self) -> Rate:
        """Executed tool calls that ended in error."""
        return rate(self.tool_errors, self.tool_calls_executed)

    @property
    def cost_per_run_usd(self) -> Decimal | None:
        """Cost of the runs with exact cost, per such run; None when there is none."""
        if self.exact_cost_usd is None or not self.runs_cost_exact:
            return None
        return self.exact_cost_usd / self.runs_cost_exact

    @property
    def cost_per_success_usd(self) -> Decimal | None:
        """Known cost of all terminal runs per successful one; None without success or known cost."""
        return self.cost_usd / self.successes if self.cost_usd is not None and self.successes else None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version and what its runs add up to, until the end of the reviewed quarter."""

    agent_version: int
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One agent under review. ``by_quarter`` holds the reviewed quarter and those before that had any use.

    ``versions`` is newest first. ``declared_on`` is None for an agent that was never declared,
    ``open_cases`` None where nobody keeps cases.
    """

    agent_id: str
    agent_name: str
    team_id: str | None
    owner_id: str | None
    risk_class: str | None
    status: str | None
    expected_use: str
    template_id: str | None
    declared_on: dt.date | None
    first_run_on: dt.date | None
    quarter: Quarter
    by_quarter: dict[Quarter, Figures] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    open_cases: int | None = None

    def figures(self, quarters_back: int = 0) -> Figures:
        """Figures of the reviewed quarter, or of the one so many before it; zeros where nothing happened."""
        return self.by_quarter.get(self.quarter.back(quarters_back), Figures())

    @property
    def known_since(self) -> dt.date | None:
        """The day from which on it could have been used."""
        return min((day for day in (self.declared_on, self.first_run_on) if day), default=None)
