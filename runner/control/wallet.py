"""The wallet gate: the worst case of a model call is held in every wallet of the run before the call.

All wallets are taken in one transaction by conditional updates, so that spent + held never exceeds a cap,
whoever else is writing. Settling deletes the hold and adds the cost (METRICS.md, "The wallet gate").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from runner.control import raises, thresholds
from runner.control.columns import Moment
from runner.control.prepared import Prepared
from runner.control.purses import Purse, Short
from runner.control.store import Store, Transaction
from runner.control.tables import holds, wallets

# Longer than any model call may take: an unsettled hold this old has no process behind it.
HOLD_LIFETIME = dt.timedelta(minutes=15)

_W, _H = wallets.c, holds.c
_THIS = sa.and_(_W.wallet_id == sa.bindparam("w"), _W.window_start_at == sa.bindparam("start"))
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
_COST = sa.bindparam("cost", type_=sa.BigInteger)
_HOLD = Prepared(
    sa.update(wallets)
    .where(
        _THIS,
        sa.or_(
            _W.is_unlimited,
            _AMOUNT == 0,
            sa.and_(
                _W.spent_nano_usd + _W.held_nano_usd + _AMOUNT <= _W.cap_nano_usd,
                # A raise that is over does not count, whether or not anybody has ended it yet.
                sa.or_(_W.raised_until.is_(None), _W.raised_until > sa.bindparam("now", type_=Moment)),
            ),
        ),
    )
    .values(held_nano_usd=_W.held_nano_usd + _AMOUNT)
)
_RELEASE = Prepared(sa.update(wallets).where(_THIS).values(held_nano_usd=_W.held_nano_usd - _AMOUNT))
_LEVEL = (_W.spent_nano_usd, _W.cap_nano_usd, _W.threshold_percent, _W.projection_told_at, _W.opened_at)
_SETTLE = Prepared(
    sa.update(wallets)
    .where(_THIS)
    .values(held_nano_usd=_W.held_nano_usd - _AMOUNT, spent_nano_usd=_W.spent_nano_usd + _COST)
    .returning(*_LEVEL)
)
_SETTLE_SWEPT = Prepared(
    sa.update(wallets)
    .where(_THIS)
    .values(swept_nano_usd=_W.swept_nano_usd - _AMOUNT, spent_nano_usd=_W.spent_nano_usd + _COST)
    .returning(*_LEVEL)
)
_SWEEP = Prepared(
    sa.update(wallets)
    .where(_THIS)
    .values(held_nano_usd=_W.held_nano_usd - _AMOUNT, swept_nano_usd=_W.swept_nano_usd + _AMOUNT)
)
_ROW = Prepared(sa.select(wallets).where(_THIS))
_PUT_HOLD = Prepared(sa.insert(holds), *holds.c.keys())
_DROP_HOLDS = Prepared(
    sa.delete(holds)
    .where(
        _H.run_id == sa.bindparam("of_run"),
        _H.turn_index == sa.bindparam("turn"),
        _H.attempt == sa.bindparam("try"),
    )
    .returning(_H.wallet_id, _H.window_start_at, _H.amount_nano_usd)
)


class Attempt(NamedTuple):
    """One attempt at one model turn of a run: what a hold is for."""

    run_id: str
    turn_index: int
    attempt: int


class Level(NamedTuple):
    """What a wallet window has, in nano-USD; no cap when unlimited."""

    cap_nano_usd: int | None
    spent_nano_usd: int
    held_nano_usd: int


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A hold that was swept, with the turn it belonged to as it was recorded."""

    run_id: str
    turn_index: int
    attempt: int
    wallet_id: str
    amount_nano_usd: int
    turn: str


def open_window(tx: Transaction, purse: Purse) -> None:
    """Make the row of a wallet window and tell it as an event, unless it is there; raises in force count."""
    if _ROW.first(tx.sql, _key(purse)) is not None:
        return
    raises.end_due(tx, wallet_id=purse.wallet_id)
    raised = raises.in_force(tx.sql, purse.wallet_id)
    row = {
        "wallet_id": purse.wallet_id,
        "window_start_at": purse.window_start,
        "window_end_at": purse.window_end,
        "wallet_kind": purse.wallet_kind,
        "owner_id": purse.owner_id,
        "team_id": purse.team_id,
        "wallet_window": purse.wallet_window,
        "cap_nano_usd": None if purse.cap_nano_usd is None else purse.cap_nano_usd + raised.nano_usd,
        "is_unlimited": purse.is_unlimited,
        "reason": purse.reason,
        "spent_nano_usd": 0,
        "held_nano_usd": 0,
        "swept_nano_usd": 0,
        "imported_nano_usd": 0,
        "raised_nano_usd": raised.nano_usd,
        "raised_until": raised.until,
        "opened_at": tx.now,
    }
    if _insert_unless_there(tx, row):
        tell_budget(tx, purse)


def declare_cap(tx: Transaction, purse: Purse) -> None:
    """Give the open window of a wallet its declared cap (raises in force stay on top), and tell it."""
    values = {
        "cap_nano_usd": None
        if purse.cap_nano_usd is None
        else purse.cap_nano_usd + sa.func.coalesce(_W.raised_nano_usd, 0),
        "is_unlimited": purse.is_unlimited,
        "reason": purse.reason,
        "threshold_percent": None,
        "projection_told_at": None,
    }
    if tx.sql.execute(sa.update(wallets).where(_THIS).values(values), _key(purse)).rowcount:
        tell_budget(tx, purse)
    else:
        open_window(tx, purse)


def _insert_unless_there(tx: Transaction, row: dict[str, object]) -> bool:
    dialect = postgresql if tx.sql.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(wallets).on_conflict_do_nothing().returning(wallets.c.wallet_id)
    return tx.sql.execute(statement, row).first() is not None


def tell_budget(tx: Transaction, purse: Purse) -> None:
    """The event budget_set for one wallet window."""
    tx.emit(
        "budget_set",
        wallet_id=purse.wallet_id,
        wallet_kind=purse.wallet_kind,
        wallet_window=purse.wallet_window,
        team_id=purse.team_id,
        agent_id=purse.owner_id if purse.wallet_kind == "agent" else None,
        run_id=purse.owner_id if purse.wallet_kind == "run" else None,
        is_unlimited=purse.is_unlimited,
        cap_nano_usd=purse.cap_nano_usd,
        reason=purse.reason or None,
        window_start_at=purse.window_start,
        window_end_at=purse.window_end,
    )


def take(
    tx: Transaction,
    purses: Sequence[Purse],
    amount_nano_usd: int,
    attempt: Attempt,
    *,
    turn: str = "{}",
) -> Short | None:
    """Hold ``amount_nano_usd`` in all ``purses``, or in none: None when held, else the wallet that is short.

    ``turn`` is kept with the hold, so that a sweep can tell which call was never answered.
    """
    taken: list[Purse] = []
    for purse in purses:
        if not _hold_in(tx, purse, amount_nano_usd):
            for earlier in taken:
                _RELEASE.changed(tx.sql, {**_key(earlier), "amount": amount_nano_usd})
            row = _ROW.one(tx.sql, _key(purse))
            return Short(
                purse=purse,
                cap_nano_usd=row.cap_nano_usd,
                spent_nano_usd=row.spent_nano_usd,
                held_nano_usd=row.held_nano_usd,
            )
        taken.append(purse)
    if taken:
        common = {
            **attempt._asdict(),
            "amount_nano_usd": amount_nano_usd,
            "turn": turn,
            "held_at": tx.now,
            "expires_at": tx.now + HOLD_LIFETIME,
        }
        keys = [{"wallet_id": purse.wallet_id, "window_start_at": purse.window_start} for purse in taken]
        _PUT_HOLD.many(tx.sql, [{**common, **key} for key in keys])
    return None


def _hold_in(tx: Transaction, purse: Purse, amount_nano_usd: int) -> bool:
    values = {**_key(purse), "amount": amount_nano_usd, "now": tx.now}
    if _HOLD.changed(tx.sql, values) == 1:
        return True
    row = _ROW.first(tx.sql, _key(purse))
    if row is None:
        open_window(tx, purse)
    elif (
        row.raised_until is None
        or row.raised_until > tx.now
        or not raises.end_due(tx, wallet_id=purse.wallet_id)
    ):
        return False
    return _HOLD.changed(tx.sql, values) == 1


def settle(
    tx: Transaction,
    purses: Sequence[Purse],
    amount_nano_usd: int,
    cost_nano_usd: int,
    attempt: Attempt,
) -> None:
    """Give the hold of this attempt back and add ``cost_nano_usd`` to what was spent, in every purse.

    A hold that was swept meanwhile comes back out of the unknown: the cost is known after all.
    """
    if not purses:
        return
    dropped = _DROP_HOLDS.all(
        tx.sql, {"of_run": attempt.run_id, "turn": attempt.turn_index, "try": attempt.attempt}
    )
    still_held = {row.wallet_id for row in dropped}
    for purse in purses:
        statement = _SETTLE if purse.wallet_id in still_held else _SETTLE_SWEPT
        values = {**_key(purse), "amount": amount_nano_usd, "cost": cost_nano_usd}
        thresholds.look(tx, purse, statement.one(tx.sql, values))


def tell_refused(tx: Transaction, purse: Purse, need_nano_usd: int) -> None:
    """Tell, once per window, that a call of ``need_nano_usd`` found too little left in ``purse``."""
    row = _ROW.first(tx.sql, _key(purse))
    if row is not None:
        thresholds.tell_refused(tx, purse, row, need_nano_usd)


def level(store: Store, purse: Purse) -> Level | None:
    """Cap, spent and held of a wallet window, read without a lock; None before its first use."""
    with store.read() as connection:
        return level_in(connection, purse)


def level_in(connection: Connection, purse: Purse) -> Level | None:
    """:func:`level` as this transaction sees it."""
    row = _ROW.first(connection, _key(purse))
    return None if row is None else Level(row.cap_nano_usd, row.spent_nano_usd, row.held_nano_usd)


def sweep(tx: Transaction, *, run_id: str | None = None) -> list[Swept]:
    """Sweep the holds of ``run_id``, or all expired ones: out of held, into unknown, neither 0 nor spend."""
    due = _H.expires_at <= tx.now if run_id is None else _H.run_id == run_id
    found = tx.sql.execute(sa.delete(holds).where(due).returning(*holds.c)).all()
    # Wallets are locked in one order by everybody.
    rows = sorted(found, key=lambda row: (row.wallet_id, row.run_id, row.turn_index, row.attempt))
    for row in rows:
        key = {"w": row.wallet_id, "start": row.window_start_at}
        _SWEEP.changed(tx.sql, {**key, "amount": row.amount_nano_usd})
    return [_swept(row) for row in rows]


def charge(tx: Transaction, run_id: str) -> list[Swept]:
    """Turn the open holds of a run into spend: its calls were broken off and may be billed in full."""
    rows = tx.sql.execute(sa.delete(holds).where(_H.run_id == run_id).returning(*holds.c)).all()
    for row in rows:
        key = {"w": row.wallet_id, "start": row.window_start_at}
        _SETTLE.all(tx.sql, {**key, "amount": row.amount_nano_usd, "cost": row.amount_nano_usd})
    return [_swept(row) for row in rows]


def _swept(row: sa.Row[tuple[object, ...]]) -> Swept:
    return Swept(**{name: getattr(row, name) for name in Swept.__dataclass_fields__})


def record_imported_spend(tx: Transaction, purse: Purse, nano_usd: int) -> None:
    """State what was spent in this window outside this store (demo, imports); a second time corrects it."""
    open_window(tx, purse)
    statement = (
        sa.update(wallets)
        .where(_THIS)
        .values(
            spent_nano_usd=_W.spent_nano_usd - _W.imported_nano_usd + nano_usd, imported_nano_usd=nano_usd
        )
    )
    tx.sql.execute(statement, _key(purse))


def _key(purse: Purse) -> dict[str, object]:
    return {"w": purse.wallet_id, "start": purse.window_start}
