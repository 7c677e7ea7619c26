"""Balances: what each declared wallet has in its window now, as the gate enforces it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from runner.control import raises
from runner.control.forecast import projected_at
from runner.control.purses import Purse, purse_of
from runner.control.tables import wallets
from runner.control.thresholds import passed

if TYPE_CHECKING:
    from runner.control.core import Core


@dataclass(frozen=True, kw_only=True)
class Balance:
    """One wallet in its window now, in nano-USD; ``cap`` and what follows from it are None when unlimited.

    ``unknown``: swept holds, whose cost nobody knows. ``threshold_percent``: the highest share passed, or 0.
    ``now`` is when it was looked at.
    """

    purse: Purse
    cap_nano_usd: int | None
    raised_nano_usd: int
    raised_until: dt.datetime | None
    spent_nano_usd: int
    held_nano_usd: int
    unknown_nano_usd: int
    projected_at: dt.datetime | None
    threshold_percent: int
    now: dt.datetime

    @property
    def free_nano_usd(self) -> int | None:
        """Cap − spent − held, not below 0; None when unlimited."""
        cap = self.cap_nano_usd
        return None if cap is None else max(cap - self.spent_nano_usd - self.held_nano_usd, 0)

    @property
    def over_nano_usd(self) -> int:
        """By how much spent and held are above the cap: after a raise ended, or the cap was lowered."""
        cap = self.cap_nano_usd
        return 0 if cap is None else max(self.spent_nano_usd + self.held_nano_usd - cap, 0)

    @property
    def is_used_up(self) -> bool:
        """True when a call was refused in this window although some of the cap is left."""
        cap = self.cap_nano_usd
        return self.threshold_percent == 100 and cap is not None and self.spent_nano_usd < cap

    @property
    def used_share(self) -> float | None:
        """(spent + held) ÷ cap (METRICS.md, budget utilisation); None when unlimited, or with a cap of 0."""
        cap = self.cap_nano_usd
        return (self.spent_nano_usd + self.held_nano_usd) / cap if cap else None


def balances(control: Core) -> list[Balance]:
    """The balance of every declared wallet of a team or an agent, in the order of registry.yaml.

    A raise that is over does not count, whether or not anybody has ended it. Raises RegistryNotApplied.
    """
    with control.store.write() as tx:
        raises.end_due(tx)
        now = tx.now
    with control.store.read() as connection:
        registry = control.registry_in(connection)
        declared = [budget for budget in registry.budgets if not budget.wallet.startswith("run:")]
        found = []
        for purse in (purse_of(registry, budget, now) for budget in declared):
            this = sa.and_(
                wallets.c.wallet_id == purse.wallet_id, wallets.c.window_start_at == purse.window_start
            )
            row = connection.execute(sa.select(wallets).where(this)).first()
            found.append(_unused(purse, connection, now) if row is None else _balance(purse, row, now))
    return found


def _unused(purse: Purse, connection: sa.Connection, now: dt.datetime) -> Balance:
    raised = raises.in_force(connection, purse.wallet_id)
    return Balance(
        purse=purse,
        cap_nano_usd=None if purse.cap_nano_usd is None else purse.cap_nano_usd + raised.nano_usd,
        raised_nano_usd=raised.nano_usd,
        raised_until=raised.until,
        spent_nano_usd=0,
        held_nano_usd=0,
        unknown_nano_usd=0,
        projected_at=None,
        threshold_percent=0,
        now=now,
    )


def _balance(purse: Purse, row: sa.Row[tuple[object, ...]], now: dt.datetime) -> Balance:
    cap: int | None = None if row.is_unlimited else row.cap_nano_usd
    spent: int = row.spent_nano_usd
    return Balance(
        purse=purse,
        cap_nano_usd=cap,
        raised_nano_usd=row.raised_nano_usd or 0,
        raised_until=row.raised_until,
        spent_nano_usd=spent,
        held_nano_usd=row.held_nano_usd,
        unknown_nano_usd=row.swept_nano_usd,
        projected_at=None
        if cap is None
        else projected_at(
            spent,
            cap,
            window_start=purse.window_start,
            window_end=purse.window_end,
            opened_at=row.opened_at,
            now=now,
        ),
        threshold_percent=0 if cap is None else max(passed(spent, cap), row.threshold_percent or 0),
        now=now,
    )
