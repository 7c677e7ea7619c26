"""Calendar months under check, as the log names them: 2026-10. Each is over at midnight in the company."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from runner.errors import AssuranceRefused, RegistryNotApplied

if TYPE_CHECKING:
    from runner.control.core import Core


def parse_month(text: str) -> dt.date:
    """The first day of the month. Raises AssuranceRefused for a text that is no month."""
    try:
        return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()
    except ValueError as error:
        raise AssuranceRefused(f"month {text!r}", "it is no month", "Write it as 2026-10.") from error


def month_text(month: dt.date) -> str:
    """``month`` as 2026-10."""
    return f"{month:%Y-%m}"


def last_day(month: dt.date) -> dt.date:
    """The last day of the month."""
    return (month.replace(day=1) + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)


def day_end(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first moment (UTC) after ``day`` by the clock of ``zone``."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC)


def month_end(month: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first moment (UTC) after the month by the clock of ``zone``."""
    return day_end(last_day(month), zone)


def month_before(moment: dt.datetime, zone: ZoneInfo) -> dt.date:
    """First day of the month that was over last at ``moment`` by the clock of ``zone``."""
    today = moment.astimezone(zone).date()
    return (today.replace(day=1) - dt.timedelta(days=1)).replace(day=1)


def company_zone(control: Core) -> ZoneInfo:
    """The zone of the company, UTC where no registry is applied: logs of other people's runs only."""
    try:
        return ZoneInfo(control.registry().company.time_zone)
    except RegistryNotApplied:
        return ZoneInfo("UTC")
