"""Wallets as the gate enforces them, with their forecast, and temporary raises: seen, asked for, decided."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from app.desk import Desk
from app.live.reach import sees
from runner.control import raise_requests, raises
from runner.control.access import Target, may
from runner.control.balances import Balance as Enforced
from runner.control.balances import balances as enforced
from runner.control.forecast import is_worth_telling
from runner.control.purses import Purse, purse_of, usd
from runner.control.raises import Raise
from runner.control.registry import Registry

_STATES = ("waiting", "approved", "rejected", "expired")


@dataclass(frozen=True, kw_only=True)
class Balance:
    """One wallet in its window now, in USD; ``cap`` and what follows from it are None when unlimited.

    ``projected_at`` is when it will be empty at its speed so far (None: too little known, or unlimited),
    ``window_spend_usd`` what it will have spent by the window's end at that speed; ``is_short`` says that it
    ends before its window. ``threshold_percent`` is the highest share passed, or 0.
    """

    wallet_id: str
    wallet_kind: str
    owner_id: str
    team_id: str
    window: str
    window_start: dt.datetime
    window_end: dt.datetime
    cap_usd: Decimal | None
    is_unlimited: bool
    reason: str
    raised_usd: Decimal
    raised_until: dt.datetime | None
    spent_usd: Decimal
    held_usd: Decimal
    unknown_usd: Decimal
    free_usd: Decimal | None
    used_share: float | None
    projected_at: dt.datetime | None
    window_spend_usd: Decimal | None
    is_short: bool
    threshold_percent: int


@dataclass(frozen=True, kw_only=True)
class RaiseRow:
    """A temporary raise; ``can_decide`` is for the person who looks, ``cannot_reason`` why not."""

    raise_id: str
    wallet_id: str
    owner_id: str
    wallet_kind: str
    amount_usd: Decimal
    expires_at: dt.datetime
    reason: str
    requested_by: str
    requested_at: dt.datetime
    status: str
    decided_by: str | None
    can_decide: bool
    cannot_reason: str


def balances(desk: Desk, person_id: str) -> list[Balance]:
    """The wallets of teams and agents that the person may see, team wallets first, the fullest first."""
    control = desk.control
    registry = control.registry()
    found = [_balance(one) for one in enforced(control) if sees(registry, person_id, _target(one.purse))]
    return sorted(found, key=lambda one: (one.wallet_kind != "team", -(one.used_share or 0.0), one.wallet_id))


def raises_seen(desk: Desk, person_id: str) -> list[RaiseRow]:
    """Raises of wallets that the person may see: those that wait first, then the newest."""
    control = desk.control
    registry, now = control.registry(), control.store.clock()
    with control.store.read() as connection:
        known = raises.listed(connection, *_STATES)
    budgets = {budget.wallet_id: budget for budget in registry.budgets}
    rows = []
    for one in known:
        if one.wallet_id in budgets:
            purse = purse_of(registry, budgets[one.wallet_id], now)
            if sees(registry, person_id, _target(purse)):
                rows.append(_raise_row(registry, purse, one, person_id))
    return sorted(rows, key=lambda row: (row.status != "waiting", -row.requested_at.timestamp()))


def ask_raise(
    desk: Desk, person_id: str, wallet_id: str, by_usd: Decimal, until: dt.datetime, reason: str
) -> str:
    """Ask for more in a wallet the person may see; returns the raise's id.

    Raises AccessRefused, NotFound, RaiseRefused.
    """
    control = desk.control
    registry = control.registry()
    budget = raise_requests.budget_of(registry, wallet_id)
    purse = purse_of(registry, budget, control.store.clock())
    control.require(registry, person_id, "view_metrics", _target(purse))
    one = raise_requests.request_raise(control, wallet_id, by_usd, until, person_id=person_id, reason=reason)
    return one.raise_id


def decide_raise(desk: Desk, person_id: str, raise_id: str, *, is_approved: bool, reason: str) -> str:
    """Approve or reject a raise that waits; returns its new status. Raises NotFound, RaiseRefused."""
    done = raise_requests.decide_raise(
        desk.control, raise_id, person_id=person_id, is_approved=is_approved, reason=reason
    )
    return done.status


def _balance(one: Enforced) -> Balance:
    purse, cap = one.purse, one.cap_nano_usd
    projected = one.projected_at
    return Balance(
        wallet_id=purse.wallet_id,
        wallet_kind=purse.wallet_kind,
        owner_id=purse.owner_id,
        team_id=purse.team_id,
        window=purse.wallet_window,
        window_start=purse.window_start,
        window_end=purse.window_end,
        cap_usd=None if cap is None else usd(cap),
        is_unlimited=purse.is_unlimited,
        reason=purse.reason,
        raised_usd=usd(one.raised_nano_usd),
        raised_until=one.raised_until,
        spent_usd=usd(one.spent_nano_usd),
        held_usd=usd(one.held_nano_usd),
        unknown_usd=usd(one.unknown_nano_usd),
        free_usd=None if one.free_nano_usd is None else usd(one.free_nano_usd),
        used_share=one.used_share,
        projected_at=projected,
        window_spend_usd=_by_window_end(one),
        is_short=projected is not None and is_worth_telling(projected, purse.window_end, one.now),
        threshold_percent=one.threshold_percent,
    )


def _by_window_end(one: Enforced) -> Decimal | None:
    """Spend by the window's end at the speed so far: what :attr:`projected_at` says, as an amount."""
    purse, cap, projected = one.purse, one.cap_nano_usd, one.projected_at
    if cap is None or projected is None or purse.wallet_window == "total" or projected <= one.now:
        return None
    left = cap - one.spent_nano_usd
    share = (purse.window_end - one.now) / (projected - one.now)
    return usd(one.spent_nano_usd + int(left * share))


def _raise_row(registry: Registry, purse: Purse, one: Raise, person_id: str) -> RaiseRow:
    ruling = may(registry, person_id, "change_budget", _target(purse))
    is_own = one.requested_by == person_id
    return RaiseRow(
        raise_id=one.raise_id,
        wallet_id=one.wallet_id,
        owner_id=purse.owner_id,
        wallet_kind=purse.wallet_kind,
        amount_usd=usd(one.raise_nano_usd),
        expires_at=one.expires_at,
        reason=one.reason,
        requested_by=one.requested_by,
        requested_at=one.requested_at,
        status=one.status,
        decided_by=one.decided_by,
        can_decide=one.status == "waiting" and ruling.allowed and not is_own,
        cannot_reason="who asked for a raise does not decide it" if is_own else ruling.sentence,
    )


def _target(purse: Purse) -> Target:
    return Target(agent_id=purse.owner_id if purse.wallet_kind == "agent" else None, team_id=purse.team_id)
