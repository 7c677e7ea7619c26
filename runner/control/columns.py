"""Kinds of columns that the control store's tables are made of, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FAR_FUTURE = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

# SQLite counts up by itself in INTEGER primary keys only.
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Moment(sa.types.TypeDecorator[dt.datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC: exact and comparable on both engines."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        """Microseconds since 1970 of an aware datetime."""
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> dt.datetime | None:
        """The aware UTC datetime of microseconds since 1970."""
        return None if value is None else EPOCH + dt.timedelta(microseconds=value)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    """A column of text."""
    return sa.Column(name, sa.Text, nullable=null)


def count(name: str, *, null: bool = False) -> sa.Column[int]:
    """A column of 64-bit integers: counts, money in nano-USD, durations in nanoseconds."""
    return sa.Column(name, sa.BigInteger, nullable=null)


def moment(name: str, *, null: bool = False) -> sa.Column[dt.datetime]:
    """A column of times in UTC."""
    return sa.Column(name, Moment, nullable=null)
