"""Times of foreign sources: text or epoch numbers become aware moments, or a reason why not."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FIRST_YEAR, LAST_YEAR = 1971, 9998  # before: not the time of an agent's run; after: no UTC form


class TimeError(ValueError):
    """A time that cannot be read; the text says where and why."""


class Moment(NamedTuple):
    """A time, and the one for ids: naive times are UTC there, so that ids never depend on ``--time-zone``."""

    at: dt.datetime
    id_at: dt.datetime


def read_moment(text: str, zone: dt.tzinfo, where: str) -> Moment:
    """The moment of ISO 8601 ``text``; a time without zone is in ``zone``. Raises TimeError."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise TimeError(f"{where} = {text[:40]!r} is no ISO 8601 time") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise TimeError(f"{where} = {text[:40]!r} is out of range")
    if moment.tzinfo:
        return Moment(moment, moment)
    return Moment(moment.replace(tzinfo=zone), moment.replace(tzinfo=dt.UTC))


def epoch_moment(seconds: float, where: str) -> Moment:
    """The moment of seconds since 1970. Raises TimeError."""
    try:
        moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    except (OverflowError, OSError, ValueError):
        raise TimeError(f"{where} = {seconds!r} is out of range") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise TimeError(f"{where} = {seconds!r} is out of range")
    return Moment(moment, moment)
