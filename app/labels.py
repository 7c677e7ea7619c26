"""How a number, a time or a foreign word is written on a page: units, precision and escaping in one place."""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

UNKNOWN = "unknown"
SMALL_N = 20
"""Below this many cases a rate is grey and not ranked (METRICS.md, rate display)."""

MINUS = "\u2212"
"""A minus as wide as a plus."""
NBSP = "\u00a0"
"""Keeps a number and its unit on one line."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&^=@/])")
_JOINER = "\u2060"
_ADDRESS = re.compile(r"://|(?<=www)\.|@", re.IGNORECASE)
_SECOND_MS = 1_000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS

Number = int | float | Decimal


def md_escape(text: object) -> str:
    """``text`` as Markdown that shows these characters: no link, image, formula or directive.

    Line breaks and other control characters become spaces, so a name stays on one line. Addresses get an
    invisible joiner: the browser makes links of bare ones after it took the backslashes away.
    """
    plain = "".join(char if char.isprintable() else " " for char in str(text))
    return _MARKDOWN.sub(r"\\\1", _ADDRESS.sub(rf"{_JOINER}\g<0>", plain))


def plain_text(markdown: str) -> str:
    """What :func:`md_escape` and the marks of a caption say, without them: for pictures and PDF files."""
    unmarked = re.sub(r":(?:gray|red|small)\[([^\[\]]*)\]", r"\1", markdown.replace("**", ""))
    return re.sub(r"\\(.)", r"\1", unmarked.replace("  \n", " ")).replace(_JOINER, "")


def count(number: Number | None) -> str:
    """A whole number with thousands separators; ``unknown`` for None."""
    return UNKNOWN if number is None else _signed(f"{int(number):,}")


def number(told: Number | None) -> str:
    """A number of unknown meaning: ten significant digits, separators from 10,000 on (a year has none)."""
    if told is None:
        return UNKNOWN
    grouping = "," if abs(float(told)) >= 10_000 else ""
    return f"{told:{grouping}}" if isinstance(told, int) else f"{told:{grouping}.10g}"


def money(amount_usd: Number | None) -> str:
    """US dollars: two decimals from 1 on, up to four significant digits below, no decimals for zero."""
    if amount_usd is None:
        return UNKNOWN
    return f"{money_number(amount_usd)}{NBSP}USD"


def money_number(amount_usd: Number) -> str:
    """The digits of :func:`money` without the unit."""
    amount = amount_usd if isinstance(amount_usd, Decimal) else Decimal(str(amount_usd))
    if amount == 0:
        return "0"
    if abs(amount) >= 1:
        return _signed(f"{amount.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}")
    places = 3 - amount.adjusted()
    rounded = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    whole, _, decimals = f"{rounded:f}".partition(".")
    return _signed(f"{whole}.{decimals.rstrip('0').ljust(2, '0')}")


def share(part: Number | None, decimals: int = 1) -> str:
    """A ratio of 0 to 1 as per cent; ``unknown`` for None."""
    return UNKNOWN if part is None else _signed(f"{float(part) * 100:.{decimals}f}{NBSP}%")


def points(change: Number) -> str:
    """A difference of two ratios in percentage points, always with its sign."""
    return f"{_plus(float(change) * 100, 1)}{NBSP}points"


def fraction(part: Number | None, whole: Number | None) -> str:
    """``k of n`` with thousands separators."""
    return f"{count(part)} of {count(whole)}"


def interval(low: Number | None, high: Number | None) -> str:
    """A 95 % interval of a rate, in whole per cent; empty when there is none."""
    if low is None or high is None:
        return ""
    return f"95{NBSP}%: {float(low) * 100:.0f}–{float(high) * 100:.0f}{NBSP}%"


def duration(milliseconds: Number | None) -> str:
    """A duration in the unit a person would say: 820 ms, 1.8 s, 3 min, 2.5 h, 4 d."""
    if milliseconds is None:
        return UNKNOWN
    span = float(milliseconds)
    if span < _SECOND_MS:
        return f"{span:.0f}{NBSP}ms"
    if span < 100 * _SECOND_MS:
        return f"{_short(span / _SECOND_MS)}{NBSP}s"
    if span < 100 * _MINUTE_MS:
        return f"{_short(span / _MINUTE_MS)}{NBSP}min"
    if span < 48 * _HOUR_MS:
        return f"{_short(span / _HOUR_MS)}{NBSP}h"
    return f"{_short(span / _DAY_MS)}{NBSP}d"


def ago(seconds: Number | None) -> str:
    """An age or a remaining time given in seconds, in whole units a person would say."""
    if seconds is None:
        return UNKNOWN
    span = max(float(seconds), 0.0)
    for unit, size, below in (("s", 1, 100), ("min", 60, 6_000), ("h", 3_600, 172_800)):
        if span < below:
            return f"{span / size:.0f}{NBSP}{unit}"
    return f"{span / 86_400:.0f}{NBSP}d"


def moment(time: dt.datetime | None, zone: ZoneInfo) -> str:
    """A point in time in the company's zone: ``22 Nov 2026, 15:05``."""
    return "" if time is None else f"{time.astimezone(zone):%-d %b %Y, %H:%M}"


def moment_utc(time: dt.datetime | None) -> str:
    """A point in time in UTC, with the zone named: ``2026-11-22 14:05 UTC``."""
    return "" if time is None else f"{time.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def clock(time: dt.datetime, now: dt.datetime) -> str:
    """UTC clock time, with the date when it is not today: ``14:05 UTC`` or ``21 Nov, 14:05 UTC``."""
    utc, today = time.astimezone(dt.UTC), now.astimezone(dt.UTC).date()
    return f"{utc:%H:%M} UTC" if utc.date() == today else f"{utc:%-d %b %Y, %H:%M} UTC"


def change(now: Number | None, before: Number | None) -> str:
    """The change of an amount against an earlier one, in per cent with its sign; empty without meaning."""
    if now is None or before is None or float(before) == 0:
        return ""
    percent = (float(now) - float(before)) / abs(float(before)) * 100
    return f"{_plus(percent, 0 if abs(percent) >= 10 else 1)}{NBSP}%"


def words(identifier: str) -> str:
    """A closed-set word of the contract as people read it: ``stopped_budget`` becomes ``stopped budget``."""
    return identifier.replace("_", " ")


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 run`` or ``2 runs``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:.0f}"


def _plus(number: float, decimals: int) -> str:
    text = f"{abs(number):.{decimals}f}"
    if float(text) == 0:
        return f"±{text}"
    return f"+{text}" if number > 0 else f"{MINUS}{text}"


def _signed(text: str) -> str:
    return text.replace("-", MINUS, 1) if text.startswith("-") else text
