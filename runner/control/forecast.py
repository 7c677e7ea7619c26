"""When a wallet will be empty if it is spent as fast as so far: pure arithmetic on one window.

projected = now + (cap − spent) ÷ (spent ÷ time since the window, or the wallet, began).
"""

from __future__ import annotations

import datetime as dt

from runner.control.columns import EPOCH, FAR_FUTURE

# A tenth of a window says something about the rest; the first calls of a month do not.
_LEAST_SHARE = 10
_LEAST_TOTAL = dt.timedelta(days=1)
# A total wallet has no end that it could miss: a week's warning is given.
_WARNING = dt.timedelta(days=7)


def projected_at(
    spent_nano_usd: int,
    cap_nano_usd: int,
    *,
    window_start: dt.datetime,
    window_end: dt.datetime,
    opened_at: dt.datetime | None,
    now: dt.datetime,
) -> dt.datetime | None:
    """When the wallet will be empty at its speed so far; None while too little is known, or beyond 9999.

    A wallet declared within the window counts from ``opened_at``; a full one is empty ``now``.
    """
    if spent_nano_usd >= cap_nano_usd:
        return now
    since = max(window_start, opened_at or window_start)
    elapsed = now - since
    least = _LEAST_TOTAL if window_start == EPOCH else (window_end - window_start) / _LEAST_SHARE
    if since == EPOCH or elapsed < least or spent_nano_usd <= 0:
        return None
    left = elapsed // dt.timedelta(microseconds=1) * (cap_nano_usd - spent_nano_usd) // spent_nano_usd
    far = (FAR_FUTURE - now) // dt.timedelta(microseconds=1)
    return None if left >= far else now + dt.timedelta(microseconds=left)


def is_worth_telling(projected: dt.datetime, window_end: dt.datetime, now: dt.datetime) -> bool:
    """Whether the wallet will be empty before its window ends; a total wallet: within a week."""
    return projected < (now + _WARNING if window_end >= FAR_FUTURE else window_end)
