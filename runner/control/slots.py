"""Slots of a schedule as pure questions: when they are, and what becomes of those that are due.

The clock of the schedule's time zone counts. A slot in the hour that is skipped in spring comes once, at the
first moment after the gap; one at a fixed time in the hour that is repeated in autumn comes once, the first
time. Schedules of every hour or every few minutes follow the real hours (cronsim, as Debian's cron).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from runner.control.declared import Misfire
from runner.control.registry import Registry
from runner.control.registry_extras import Schedule

# After an outage no schedule starts more runs at once than these, however many slots were missed.
MOST_AT_ONCE = 24
_INSTANT = dt.timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """When the slots of a schedule are: five cron fields in an IANA time zone."""

    cron: str
    time_zone: str

    def after(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """Slots later than ``moment``, in UTC, without end (cron looks 50 years ahead)."""
        start = moment.astimezone(ZoneInfo(self.time_zone))
        return (slot.astimezone(dt.UTC) for slot in CronSim(self.cron, start))

    def until(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """Slots at ``moment`` and before, in UTC, newest first."""
        start = (moment + _INSTANT).astimezone(ZoneInfo(self.time_zone))
        return (slot.astimezone(dt.UTC) for slot in CronSim(self.cron, start, reverse=True))

    def between(self, after: dt.datetime, until: dt.datetime, limit: int) -> list[dt.datetime]:
        """The first ``limit`` slots later than ``after`` and not later than ``until``."""
        return list(islice(takewhile(lambda slot: slot <= until, self.after(after)), limit))

    def newest(self, after: dt.datetime, until: dt.datetime, limit: int) -> list[dt.datetime]:
        """The last ``limit`` slots of the same span, oldest first."""
        return list(islice(takewhile(lambda slot: slot > after, self.until(until)), limit))[::-1]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a due slot: it fires (late or not), or it is missed with a reason."""

    slot_at: dt.datetime
    fires: bool
    is_late: bool
    reason: str | None = None


def timetable(registry: Registry, schedule: Schedule) -> Timetable:
    """The timetable of ``schedule``; without a zone of its own it follows the company's."""
    return Timetable(cron=schedule.cron, time_zone=schedule.time_zone or registry.company.time_zone)


def verdicts(
    due: Sequence[dt.datetime],
    newest: Sequence[dt.datetime],
    now: dt.datetime,
    *,
    misfire: Misfire,
    grace: dt.timedelta,
) -> list[Verdict]:
    """One verdict per slot of ``due``. ``newest`` are the last slots of all that are due, oldest first.

    Within the grace a slot fires; after it, by the policy: skip misses it, run_once lets the newest due slot
    stand for all, run_all makes up for each. Never more than :data:`MOST_AT_ONCE` fire.
    """
    recent = newest[-MOST_AT_ONCE:]
    if misfire == "run_once":
        fires = set(recent[-1:])
    elif misfire == "run_all":
        fires = set(recent)
    else:
        fires = {slot for slot in recent if now - slot <= grace}
    return [_verdict(slot, slot in fires, now - slot > grace, recent, misfire, grace) for slot in due]


def _verdict(
    slot: dt.datetime,
    fires: bool,
    is_late: bool,
    recent: Sequence[dt.datetime],
    misfire: Misfire,
    grace: dt.timedelta,
) -> Verdict:
    if fires:
        return Verdict(slot_at=slot, fires=True, is_late=is_late)
    minutes = int(grace / dt.timedelta(minutes=1))
    if misfire == "run_once":
        reason = f"no worker was there; the slot of {recent[-1]:%Y-%m-%d %H:%M} UTC runs once for all"
    elif misfire == "skip" and is_late:
        reason = f"no worker was there within {minutes} minutes"
    else:
        reason = f"no worker was there, and at most {MOST_AT_ONCE} runs are made up for"
    return Verdict(slot_at=slot, fires=False, is_late=False, reason=reason)
