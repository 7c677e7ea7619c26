"""The frame of the demo history: its first and last moment, its seed, and how busy a day is.

Everything is computed from the plan, so that a history that was interrupted goes on as the same history.
"""

from __future__ import annotations

import calendar
import datetime as dt
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

Rhythm: TypeAlias = Literal[
    "office", "service", "night", "morning", "evening", "monday", "month_start", "month_end", "season"
]

# Monday to Sunday, as shares of an average working day; a service runs on weekends, an office does not.
OFFICE_WEEK = (1.02, 1.10, 1.08, 1.02, 0.80, 0.04, 0.02)
SERVICE_WEEK = (1.12, 1.06, 1.02, 1.00, 0.96, 0.48, 0.40)
ALWAYS = (1.0,) * 7
# Hour of the company's day → weight; the office has a lunch dip, a service opens early and closes late.
OFFICE_HOURS = {7: 2, 8: 7, 9: 12, 10: 13, 11: 11, 12: 5, 13: 9, 14: 12, 15: 11, 16: 9, 17: 5, 18: 2}
SERVICE_HOURS = {
    6: 2,
    7: 5,
    8: 9,
    9: 11,
    10: 11,
    11: 9,
    12: 8,
    13: 8,
    14: 8,
    15: 8,
    16: 8,
    17: 7,
    18: 6,
    19: 5,
    20: 3,
    21: 2,
}
HOURS: dict[Rhythm, dict[int, int]] = {
    "office": OFFICE_HOURS,
    "service": SERVICE_HOURS,
    "night": {2: 6, 3: 3},
    "morning": {6: 8, 7: 3},
    "evening": {18: 5, 19: 2},
    "monday": {7: 5, 8: 2},
    "month_start": OFFICE_HOURS,
    "month_end": OFFICE_HOURS,
    "season": OFFICE_HOURS,
}
# Days on which the office is closed everywhere in Germany and the date does not move.
HOLIDAYS = frozenset({(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)})
RUNS = 64_000  # the demo promises 60,000
SEASON_DAYS = 7  # the last week of a quarter and the first of the next


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a demo history is made from: seed, first and last moment (UTC), company time zone.

    ``runs`` is how many runs to aim at; those that would end after the last moment are left out.
    """

    seed: str
    runs: int
    start: dt.datetime
    end: dt.datetime
    time_zone: str

    @cached_property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def days(self) -> list[dt.date]:
        """Every company day that the history touches."""
        first, last = self.start.astimezone(self.zone).date(), self.end.astimezone(self.zone).date()
        return [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]

    @property
    def month_start(self) -> dt.datetime:
        """First moment, in UTC, of the company month in which the history ends."""
        return self.at(self.end.astimezone(self.zone).date().replace(day=1))

    def at(self, day: dt.date, hour: int = 0, second: float = 0.0) -> dt.datetime:
        """The moment ``second`` seconds after ``hour`` o'clock of the company's ``day``, in UTC."""
        local = dt.datetime.combine(day, dt.time(hour), self.zone)
        return local.astimezone(dt.UTC) + dt.timedelta(seconds=second)

    def share(self, moment: dt.datetime) -> float:
        """Where ``moment`` lies in the history: 0 at its start, 1 at its end."""
        return (moment - self.start) / (self.end - self.start)

    def moment(self, share: float) -> dt.datetime:
        """The inverse of :meth:`share`."""
        return self.start + (self.end - self.start) * share

    def dice(self, *parts: object) -> random.Random:
        """A random source that depends on the seed and ``parts`` only."""
        return random.Random("\x1f".join([self.seed, *map(str, parts)]))


def make_plan(now: dt.datetime, time_zone: str, seed: str = "nordhaven-1") -> Plan:
    """The plan of a history that ends ``now`` and begins with the quarter two quarters before today's."""
    zone = ZoneInfo(time_zone)
    first = quarter_start(now.astimezone(zone).date())
    for _ in range(2):
        first = quarter_start(first - dt.timedelta(days=1))
    start = dt.datetime.combine(first, dt.time(), zone).astimezone(dt.UTC)
    end = now.astimezone(dt.UTC).replace(microsecond=0)
    return Plan(seed=seed, runs=RUNS, start=start, end=end, time_zone=time_zone)


def quarter_start(day: dt.date) -> dt.date:
    """First day of the quarter of ``day``."""
    return day.replace(month=day.month - (day.month - 1) % 3, day=1)


def busyness(rhythm: Rhythm, day: dt.date) -> float:
    """How busy ``day`` is for this rhythm, as a share of an average working day."""
    if rhythm == "service":
        return SERVICE_WEEK[day.weekday()]
    if rhythm == "night":
        return 1.0
    office = OFFICE_WEEK[6 if (day.month, day.day) in HOLIDAYS else day.weekday()]
    if rhythm == "monday":
        return 5.0 if day.weekday() == 0 else 0.0
    if rhythm == "month_start":
        return 4.0 * office if day.day <= 4 else 0.15 * office
    if rhythm == "month_end":
        return office * month_end_peak(day)
    if rhythm == "season":
        return office if in_season(day) else 0.0
    return office


def month_end_peak(day: dt.date) -> float:
    """Finance works around the turn of the month: three times as much on its last days."""
    left = calendar.monthrange(day.year, day.month)[1] - day.day
    return 3.0 if left < 3 else 1.8 if day.day <= 3 else 0.75


def in_season(day: dt.date) -> bool:
    """True in the last week of a quarter and the first week of the next."""
    this = quarter_start(day)
    following = quarter_start((this + dt.timedelta(days=95)).replace(day=1))
    return (day - this).days < SEASON_DAYS or (following - day).days <= SEASON_DAYS
