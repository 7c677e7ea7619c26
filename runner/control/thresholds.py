"""Thresholds of a wallet window: 50, 80 and 100 % of its cap, and the day on which it will be empty.

Looked at in the settlement that may pass them, on the row that the settlement returns; each is told once per
window and cap, as an event and, for wallets of teams and agents, as a notice.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ingest.contract import Value
from runner.control import notices
from runner.control.columns import FAR_FUTURE
from runner.control.forecast import is_worth_telling, projected_at
from runner.control.purses import Purse, usd_text
from runner.control.store import Transaction
from runner.control.tables import wallets

PERCENTS = (50, 80, 100)

_THIS = sa.and_(
    wallets.c.wallet_id == sa.bindparam("w"),
    wallets.c.window_start_at == sa.bindparam("start", type_=wallets.c.window_start_at.type),
)
_TOLD = sa.update(wallets).where(_THIS).values(threshold_percent=sa.bindparam("percent"))
_PROJECTED = sa.update(wallets).where(_THIS).values(projection_told_at=sa.bindparam("told_at"))


class Level(Protocol):
    """The columns of a wallet row that thresholds look at."""

    @property
    def cap_nano_usd(self) -> int | None: ...
    @property
    def spent_nano_usd(self) -> int: ...
    @property
    def threshold_percent(self) -> int | None: ...
    @property
    def projection_told_at(self) -> dt.datetime | None: ...
    @property
    def opened_at(self) -> dt.datetime | None: ...


def passed(spent_nano_usd: int, cap_nano_usd: int) -> int:
    """The highest of 50, 80 and 100 that ``spent`` has reached in percent of ``cap``, or 0."""
    if cap_nano_usd <= 0:
        return 0  # 0 refuses everything paid: there is nothing to pass
    return max((p for p in PERCENTS if spent_nano_usd * 100 >= cap_nano_usd * p), default=0)


def look(tx: Transaction, purse: Purse, level: Level) -> None:
    """Tell what the settlement that led to ``level`` has passed."""
    cap = level.cap_nano_usd
    if cap is None or purse.is_unlimited:
        return
    before, now = level.threshold_percent or 0, passed(level.spent_nano_usd, cap)
    if now > before:
        _tell_passed(tx, purse, cap, level.spent_nano_usd, [p for p in PERCENTS if before < p <= now])
    if level.projection_told_at is None and now < 100 and purse.wallet_kind != "run":
        _look_ahead(tx, purse, cap, level)


def tell_refused(tx: Transaction, purse: Purse, level: Level, need_nano_usd: int) -> None:
    """A call found too little left even with every hold released: for this window, that is 100 %."""
    cap = level.cap_nano_usd
    before = level.threshold_percent or 0
    if cap is None or purse.is_unlimited or before >= 100:
        return
    reason = f"a call that may need {usd_text(need_nano_usd)} was refused"
    _tell_passed(tx, purse, cap, level.spent_nano_usd, [100], reason=reason)


def _tell_passed(
    tx: Transaction, purse: Purse, cap: int, spent: int, percents: list[int], *, reason: str | None = None
) -> None:
    tx.sql.execute(_TOLD, {"w": purse.wallet_id, "start": purse.window_start, "percent": percents[-1]})
    for percent in percents:
        tx.emit(
            "budget_threshold_passed",
            {**_about(purse, cap, spent), "reason": reason},
            threshold_percent=percent,
        )
    what = f"{usd_text(spent)} of {usd_text(cap)} spent"
    if reason is None:
        title, text = f"Wallet {purse.wallet_id} has passed {percents[-1]} %: {what}", f"{what}."
    else:
        title, text = f"Wallet {purse.wallet_id} is used up: {what}", f"{reason[0].upper()}{reason[1:]}."
    _notice(tx, purse, "wallet-threshold", title, text)


def _look_ahead(tx: Transaction, purse: Purse, cap: int, level: Level) -> None:
    projected = projected_at(
        level.spent_nano_usd,
        cap,
        window_start=purse.window_start,
        window_end=purse.window_end,
        opened_at=level.opened_at,
        now=tx.now,
    )
    if projected is None or not is_worth_telling(projected, purse.window_end, tx.now):
        return
    tx.sql.execute(_PROJECTED, {"w": purse.wallet_id, "start": purse.window_start, "told_at": tx.now})
    about = _about(purse, cap, level.spent_nano_usd)
    tx.emit("budget_exhaustion_projected", about, projected_at=projected)
    local = projected.astimezone(ZoneInfo(purse.time_zone)).strftime("%Y-%m-%d %H:%M")
    title = f"Wallet {purse.wallet_id} will be empty on {local}, if spent as fast as so far"
    text = f"{usd_text(level.spent_nano_usd)} of {usd_text(cap)} spent."
    _notice(tx, purse, "wallet-forecast", title, text)


def _about(purse: Purse, cap: int, spent: int) -> dict[str, Value]:
    is_endless = purse.window_end >= FAR_FUTURE
    return {
        "wallet_id": purse.wallet_id,
        "wallet_kind": purse.wallet_kind,
        "wallet_window": purse.wallet_window,
        "team_id": purse.team_id,
        "agent_id": purse.owner_id if purse.wallet_kind == "agent" else None,
        "run_id": purse.owner_id if purse.wallet_kind == "run" else None,
        "cap_nano_usd": cap,
        "spent_nano_usd": spent,
        "window_start_at": None if is_endless else purse.window_start,
        "window_end_at": None if is_endless else purse.window_end,
    }


def _notice(tx: Transaction, purse: Purse, kind: str, title: str, text: str) -> None:
    if purse.wallet_kind == "run":
        return  # one run's own limit is the run's affair; its end says so
    advice = (
        f"{text} `fleetbook wallets` shows it; "
        f"`fleetbook wallets raise {purse.wallet_id}` asks for more for a time."
    )
    about: dict[str, Value] = {"wallet_id": purse.wallet_id}
    if purse.wallet_kind == "agent":
        about["agent_id"] = purse.owner_id
    notices.put(tx, kind=kind, team_id=purse.team_id, title=title, text=advice, about=about)
