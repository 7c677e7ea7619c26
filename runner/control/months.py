"""Calendar months under check, as the log names them: 2026-10. A month begins and ends in UTC."""

from __future__ import annotations

import datetime as dt

from runner.errors import AssuranceRefused


def parse_month(text: str) -> dt.date:
    """The first day of the month. Raises AssuranceRefused for a text that is no month."""
    try:
        return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()
    except ValueError as error:
        raise AssuranceRefused(f"month {text!r}", "it is no month", "Write it as 2026-10.") from error


def month_text(month: dt.date) -> str:
    """``month`` as 2026-10."""
    return f"{month:%Y-%m}"


def month_end(month: dt.date) -> dt.datetime:
    """The first moment after the month, in UTC."""
    first = dt.datetime(month.year, month.month, 1, tzinfo=dt.UTC)
    return (first + dt.timedelta(days=32)).replace(day=1)


def month_before(moment: dt.datetime) -> dt.date:
    """First day of the month that was over last at ``moment``."""
    return (moment.date().replace(day=1) - dt.timedelta(days=1)).replace(day=1)
