"""Temporary raises of a cap as rows: in force from their approval until ``expires_at``.

The cap of a wallet window is its declared cap plus the raises in force. The end takes back exactly what the
raise gave; where more is spent by then, the wallet shows it and holds nothing new.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value
from runner.control.store import Transaction
from runner.control.tables import raises, wallets

_R, _W = raises.c, wallets.c
_IN_FORCE = sa.and_(_R.wallet_id == sa.bindparam("w"), _R.status == "approved")
_SUM = sa.select(
    sa.func.coalesce(sa.func.sum(_R.raise_nano_usd), 0).label("amount"),
    sa.func.min(_R.expires_at).label("until"),
).where(_IN_FORCE)
_DUE = sa.and_(_R.status == "approved", _R.expires_at <= sa.bindparam("now", type_=_R.expires_at.type))


class InForce(NamedTuple):
    """What the raises in force add to a wallet's cap, and when the first of them ends."""

    nano_usd: int
    until: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class Raise:
    """One raise; ``status`` is waiting, approved, rejected or expired."""

    raise_id: str
    wallet_id: str
    raise_nano_usd: int
    expires_at: dt.datetime
    reason: str
    requested_by: str
    requested_at: dt.datetime
    status: str
    decided_by: str | None = None


_FIELDS = tuple(Raise.__dataclass_fields__)


def _raise(row: sa.Row[tuple[object, ...]]) -> Raise:
    return Raise(**{name: getattr(row, name) for name in _FIELDS})


def listed(connection: Connection, *statuses: str) -> list[Raise]:
    """Raises in one of ``statuses``, oldest first."""
    query = sa.select(raises).where(_R.status.in_(statuses)).order_by(_R.requested_at, _R.raise_id)
    return [_raise(row) for row in connection.execute(query)]


def find(connection: Connection, raise_id: str) -> Raise | None:
    """The raise of that id, or None."""
    row = connection.execute(sa.select(raises).where(_R.raise_id == raise_id)).first()
    return None if row is None else _raise(row)


def in_force(connection: Connection, wallet_id: str) -> InForce:
    """The raises of a wallet that are approved and not ended."""
    row = connection.execute(_SUM, {"w": wallet_id}).one()
    return InForce(int(row.amount), row.until)


def decide(tx: Transaction, raise_id: str, status: str, person_id: str) -> bool:
    """Move a waiting raise to ``status``; False when somebody else was first."""
    this = sa.and_(_R.raise_id == raise_id, _R.status == "waiting")
    values = {"status": status, "decided_by": person_id, "decided_at": tx.now}
    return tx.sql.execute(sa.update(raises).where(this), values).rowcount == 1


def lift(tx: Transaction, wallet_id: str, nano_usd: int) -> None:
    """Add an approved raise to the cap of every window that is open now; thresholds count anew."""
    this = sa.and_(_W.wallet_id == wallet_id, _W.window_start_at <= tx.now, _W.window_end_at > tx.now)
    _change_cap(tx, this, wallet_id, nano_usd)


def end_due(tx: Transaction, *, wallet_id: str | None = None) -> int:
    """End the raises whose time is over, of one wallet or of all; returns how many were ended here."""
    due = _DUE if wallet_id is None else sa.and_(_DUE, _R.wallet_id == wallet_id)
    query = sa.select(raises).where(due).order_by(_R.wallet_id, _R.raise_id)
    ended = 0
    for one in [_raise(row) for row in tx.sql.execute(query, {"now": tx.now})]:
        this = sa.and_(_R.raise_id == one.raise_id, _R.status == "approved")
        if tx.sql.execute(sa.update(raises).where(this).values(status="expired")).rowcount == 1:
            _end(tx, one)
            ended += 1
    return ended


def _end(tx: Transaction, one: Raise) -> None:
    # Windows that ended before the raise did keep the cap they had.
    this = sa.and_(_W.wallet_id == one.wallet_id, _W.window_end_at > one.expires_at, _W.raised_nano_usd > 0)
    for row in _change_cap(tx, this, one.wallet_id, -one.raise_nano_usd):
        tx.emit(
            "budget_raise_expired",
            told(one),
            wallet_kind=row.wallet_kind,
            wallet_window=row.wallet_window,
            team_id=row.team_id,
            cap_nano_usd=row.cap_nano_usd,
            spent_nano_usd=row.spent_nano_usd,
        )


def _change_cap(
    tx: Transaction, this: sa.ColumnElement[bool], wallet_id: str, nano_usd: int
) -> list[sa.Row[tuple[object, ...]]]:
    change = (
        sa.update(wallets)
        .where(this)
        .values(
            cap_nano_usd=_W.cap_nano_usd + nano_usd,
            raised_nano_usd=sa.func.coalesce(_W.raised_nano_usd, 0) + nano_usd,
            raised_until=in_force(tx.sql, wallet_id).until,
            threshold_percent=None,
            projection_told_at=None,
        )
        .returning(*wallets.c)
    )
    return list(tx.sql.execute(change).all())


def told(one: Raise) -> dict[str, Value]:
    """The columns of an event about a raise."""
    return {"wallet_id": one.wallet_id, "raise_id": one.raise_id, "raise_nano_usd": one.raise_nano_usd}
