"""Wallet windows as values: which wallets a run must have room in, and what to do when one is short.

Pure arithmetic; :mod:`runner.control.wallet` does the same on the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

from runner.control.columns import EPOCH, FAR_FUTURE
from runner.control.prices import NANO, ModelPrice, output_that_fits
from runner.control.registry import Budget, Registry

# A shorter answer than this is of no use to anybody; a smaller bound is refused instead.
LEAST_OUTPUT_TOKENS = 64


@dataclass(frozen=True, kw_only=True)
class Purse:
    """One wallet window that a run must have room in: its key, cap (None only when unlimited) and meaning."""

    wallet_id: str
    window_start: dt.datetime
    window_end: dt.datetime
    wallet_kind: str
    owner_id: str
    team_id: str
    wallet_window: str
    cap_nano_usd: int | None
    is_unlimited: bool
    reason: str
    time_zone: str = "UTC"


class Spender(Protocol):
    """A run as its wallets see it."""

    @property
    def run_id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def team_id(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Short:
    """A wallet without room: nano-USD left now, and left once all other holds were released."""

    purse: Purse
    cap_nano_usd: int
    spent_nano_usd: int
    held_nano_usd: int

    @property
    def left_nano_usd(self) -> int:
        """Cap − spent: what is left when every hold of others comes back."""
        return self.cap_nano_usd - self.spent_nano_usd

    @property
    def free_nano_usd(self) -> int:
        """Cap − spent − held: what is left right now."""
        return self.left_nano_usd - self.held_nano_usd


def nano(usd: Decimal) -> int:
    """Nano-USD of an exact USD amount."""
    return int(usd * NANO)


def usd(nano_usd: int) -> Decimal:
    """USD of a nano-USD amount, exact."""
    return Decimal(nano_usd) / NANO


def window_bounds(window: str, time_zone: str, moment: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """Start (inclusive) and end (exclusive), in UTC, of the ``window`` of company time around ``moment``."""
    if window == "total":
        return EPOCH, FAR_FUTURE
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    if window == "day":
        first = local.date()
        after = first + dt.timedelta(days=1)
    else:
        first = local.date().replace(day=1)
        after = (first + dt.timedelta(days=32)).replace(day=1)
    start, end = (dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC) for day in (first, after))
    return start, end


def purses_of(
    registry: Registry,
    agent_id: str,
    team_id: str,
    run_id: str,
    now: dt.datetime,
    above: Sequence[Spender] = (),
) -> list[Purse]:
    """Every wallet window that a model call of this run must fit, in one order for all who take them.

    ``above`` are the runs it works for (:func:`runner.control.ancestry.ancestors`): its cost is inside their
    wallets too. A wallet that several of them share is taken once.
    """
    spenders = [(agent_id, team_id, run_id), *((one.agent_id, one.team_id, one.run_id) for one in above)]
    found: dict[str, Purse] = {}
    for its_agent, its_team, its_run in spenders:
        mine = {f"team:{its_team}", f"agent:{its_agent}", f"run:{its_agent}"}
        for budget in registry.budgets:
            if budget.wallet in mine:
                purse = purse_of(registry, budget, now, run_id=its_run)
                found[purse.wallet_id] = purse
    return [found[wallet_id] for wallet_id in sorted(found)]


def purse_of(registry: Registry, budget: Budget, now: dt.datetime, *, run_id: str = "") -> Purse:
    """The window of a declared wallet at ``now``; for a ``run:`` wallet the one of this run."""
    kind, _, owner = budget.wallet.partition(":")
    start, end = window_bounds(budget.window, registry.company.time_zone, now)
    team_id = owner if kind == "team" else registry.agents[owner].team
    return Purse(
        wallet_id=f"run:{run_id}:total" if kind == "run" else budget.wallet_id,
        window_start=start,
        window_end=end,
        wallet_kind=kind,
        owner_id=run_id if kind == "run" else owner,
        team_id=team_id,
        wallet_window=budget.window,
        cap_nano_usd=None if budget.cap_usd is None else nano(budget.cap_usd),
        is_unlimited=budget.unlimited,
        reason=budget.reason,
        time_zone=registry.company.time_zone,
    )


def usd_text(nano_usd: int) -> str:
    """USD as a person reads it: two decimals from 1 USD up, four significant digits below."""
    amount = usd(nano_usd)
    if nano_usd == 0 or abs(amount) >= 1:
        return f"{amount:,.2f} USD"
    return f"{amount:.{3 - amount.adjusted()}f} USD"


def shortage(short: Short, need_nano_usd: int, time_zone: str) -> tuple[str, str]:
    """Why a wallet refuses, and what to do: two sentences for :class:`runner.errors.RunRefused`."""
    purse = short.purse
    until = purse.window_end.astimezone(ZoneInfo(time_zone)).date().isoformat()
    is_endless = purse.window_end >= FAR_FUTURE
    held = f", {usd_text(short.held_nano_usd)} of it held by other calls" if short.held_nano_usd else ""
    reason = (
        f"wallet {purse.wallet_id} has {usd_text(max(short.left_nano_usd, 0))} of "
        f"{usd_text(short.cap_nano_usd)} left{'' if is_endless else f' until {until}'}{held}, "
        f"and this call may need {usd_text(need_nano_usd)}"
    )
    declared = "run" if purse.wallet_kind == "run" else f"{purse.wallet_kind}:{purse.owner_id}"
    raise_it = (
        f"Raise the {purse.wallet_window} cap of {declared} under budgets in registry.yaml and apply it"
    )
    return reason, f"{raise_it}." if is_endless else f"{raise_it}, or wait until {until}."


@dataclass(frozen=True, kw_only=True)
class Lower:
    """Ask again with this smaller output bound."""

    output_tokens: int


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Only other holds are in the way: wait for one to come back."""


@dataclass(frozen=True, kw_only=True)
class Exhausted:
    """Nothing useful fits. ``is_held_by_others`` when it would fit without the holds of other calls."""

    is_held_by_others: bool


def next_step(
    short: Short, price: ModelPrice, input_tokens: int, wanted: int, tried: int, *, has_waited: bool
) -> Lower | Wait | Exhausted:
    """What to do after ``tried`` output tokens did not fit: lower, wait, lower to what is free now, give up.

    ``wanted`` is the registered bound. METRICS.md, the wallet gate, rule 2: never shrink a hold below what
    the call can cost; lower the bound of the call instead.
    """
    least = min(wanted, LEAST_OUTPUT_TOKENS)
    fits_when_released = output_that_fits(price, input_tokens, wanted, short.left_nano_usd)
    if fits_when_released < least:
        return Exhausted(is_held_by_others=False)
    if fits_when_released < tried:
        return Lower(output_tokens=fits_when_released)
    if not has_waited:
        return Wait()
    fits_now = output_that_fits(price, input_tokens, tried, short.free_nano_usd)
    return Lower(output_tokens=fits_now) if fits_now >= least else Exhausted(is_held_by_others=True)
