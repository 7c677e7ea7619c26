"""Asking for the check of a month on the page: which months are over, who may, and how far it is."""

from __future__ import annotations

import datetime as dt

from app.checks import asked
from app.checks.asked import Asked
from app.desk import Desk
from runner.control.access import WHOLE_COMPANY, may
from runner.control.months import company_zone, month_before

MONTHS_OFFERED = 12


def may_ask(desk: Desk, person_id: str) -> bool:
    """Whether the person may sign_report, which asking for a check needs."""
    return may(desk.control.registry(), person_id, "sign_report", WHOLE_COMPANY).allowed


def finished_months(desk: Desk, first: dt.date, now: dt.datetime) -> list[dt.date]:
    """The months that are over, back to that of the day ``first``, newest first, at most twelve."""
    zone = company_zone(desk.control)
    month = month_before(now, zone)
    found: list[dt.date] = []
    while month >= first.replace(day=1) and len(found) < MONTHS_OFFERED:
        found.append(month)
        month = (month - dt.timedelta(days=1)).replace(day=1)
    return found


def ask(desk: Desk, person_id: str, month: dt.date) -> None:
    """Start the check of ``month``; it goes on when the page is left.

    Raises AccessRefused for who may not sign_report, CheckError while another one runs, OSError.
    """
    control = desk.control
    control.require(control.registry(), person_id, "sign_report", WHOLE_COMPANY)
    asked.ask(control.workspace, month, person_id, control.store.clock())


def asked_last(desk: Desk) -> Asked | None:
    """The check that was asked for last on a page, None when none ever was. Raises CheckError, OSError."""
    return asked.asked(desk.control.workspace)
