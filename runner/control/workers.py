"""Workers that share a control store: each tells every few seconds that it is there and what it plays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from runner.control.tables import workers

if TYPE_CHECKING:
    from runner.control.core import Core

BEAT = dt.timedelta(seconds=5)
# On another machine nothing but silence tells of a death.
SILENCE = dt.timedelta(seconds=30)

_W = workers.c
_MINE = _W.owner == sa.bindparam("of")
_SEEN = sa.select(_W.status, _W.seen_at, _W.playing_count).where(_MINE)
_BEAT = (
    sa.update(workers)
    .where(_MINE)
    .values(
        status=sa.bindparam("now_status"),
        seen_at=sa.bindparam("now"),
        playing_count=sa.bindparam("playing"),
        played_count=sa.bindparam("played"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What a worker tells: working or stopping, runs in hand, runs it has let go of since its start."""

    status: str
    playing_count: int
    played_count: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A worker as the store knows it; ``is_gone`` when its process is known or presumed to be dead."""

    owner: str
    status: str
    started_at: dt.datetime
    seen_at: dt.datetime
    playing_count: int
    played_count: int
    is_gone: bool


def beat(control: Core, now: Beat) -> None:
    """Tell that this process is at work: at once when something changed, else every :data:`BEAT`."""
    owner, moment = control.presence.owner, control.store.clock()
    with control.store.read() as connection:
        row = connection.execute(_SEEN, {"of": owner}).first()
    if row is not None and moment - row.seen_at < BEAT and _says_the_same(row, now):
        return
    values = {"now_status": now.status, "playing": now.playing_count, "played": now.played_count}
    with control.store.write() as tx:
        if row is not None:
            tx.sql.execute(_BEAT, {"of": owner, "now": tx.now, **values})
            return
        new = {"owner": owner, "started_at": tx.now, "seen_at": tx.now, **now.__dict__}
        tx.sql.execute(sa.insert(workers), new)
        _forget_the_dead(tx.sql, tx.now)


def _says_the_same(row: sa.Row[tuple[str, dt.datetime, int]], now: Beat) -> bool:
    return (row.status, row.playing_count) == (now.status, now.playing_count)


def sign_off(control: Core) -> None:
    """This process works no more."""
    with control.store.write() as tx:
        tx.sql.execute(sa.delete(workers).where(_MINE), {"of": control.presence.owner})


def seen(control: Core) -> list[Seen]:
    """All workers that have not signed off, oldest first."""
    now = control.store.clock()
    with control.store.read() as connection:
        rows = connection.execute(sa.select(workers).order_by(_W.started_at, _W.owner)).all()
    gone = control.presence.is_gone
    return [Seen(**row._mapping, is_gone=gone(row.owner, row.seen_at + SILENCE, now)) for row in rows]


def _forget_the_dead(connection: sa.Connection, now: dt.datetime) -> None:
    """A day after its last word a dead worker is of interest to nobody."""
    old = now - dt.timedelta(days=1)
    connection.execute(sa.delete(workers).where(_W.seen_at < old))
