"""When the check of a month is due, and that people hear of its answer once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa

from app.checks.follow import keep, make_pack
from app.checks.monthly import Monthly, Say, check_month, month_end
from app.checks.pack import Pack
from app.checks.stored import load
from app.errors import PRODUCT_ERRORS
from ingest.contract import parse_rfc3339
from ingest.log.view import look
from ingest.workspace import Workspace
from runner.control import notices
from runner.control.core import Core
from runner.control.months import company_zone, month_before, month_text
from runner.control.plane import Control
from runner.control.tables import notices as kept
from runner.errors import RegistryNotApplied

NOTICE = "monthly-check"
_SATURDAY = 5


def first_working_day(month: dt.date, holidays: Collection[dt.date]) -> dt.date:
    """The first day of ``month`` that is no Saturday, no Sunday and none of ``holidays``."""
    day = month.replace(day=1)
    while day.weekday() >= _SATURDAY or day in holidays:
        day += dt.timedelta(days=1)
    return day


def due_month(control: Core, now: dt.datetime) -> dt.date | None:
    """The month whose check is due at ``now``: the last one, from the first working day after it on.

    None when it has an answer, however long that day is past, or when the log holds nothing that was
    recorded in it or before. Raises SegmentError, OSError.
    """
    zone = company_zone(control)
    month = month_before(now, zone)
    today = now.astimezone(zone).date()
    if today < first_working_day(today, _holidays(control)) or load(control.workspace, month) is not None:
        return None
    return month if _was_at_work(control.workspace, month) else None


def check_due(workspace: Workspace, month: dt.date, say: Say) -> tuple[Monthly, Pack]:
    """Check ``month``, keep the answer with its cases and pack, and tell people what came of it.

    Raises what :func:`app.checks.monthly.check_month` raises, after having told people once that there is no
    answer.
    """
    try:
        monthly = check_month(workspace, month, say=say)
    except PRODUCT_ERRORS as error:
        with _control(workspace) as control:
            _tell_once(control, f"The check of {month_text(month)} could not be made", str(error))
        raise
    with _control(workspace) as control:
        opened = keep(control, monthly.answer, monthly.scoped)
        pack = make_pack(control, month)
        count = len(monthly.answer.findings)
        found = f"{count} findings, {len(opened)} cases" if count else "nothing to see to"
        command = f"fleetbook sign --month {month_text(month)} --as <person>"
        text = f"The evidence pack is made. Read and sign it on the page Compliance, or with `{command}`."
        _tell_once(control, f"The check of {month_text(month)} is done: {found}", text)
    return monthly, pack


def _control(workspace: Workspace) -> Control:
    return Control(workspace, process_name="fleetbook check due", recorded_via="app")


def _tell_once(control: Core, title: str, text: str) -> None:
    said = sa.and_(kept.c.notice_kind == NOTICE, kept.c.title == title)
    with control.store.write() as tx:
        if tx.sql.execute(sa.select(kept.c.notice_id).where(said)).first() is None:
            notices.put(tx, kind=NOTICE, team_id=None, title=title, text=text)
    control.relay.flush()


def _was_at_work(workspace: Workspace, month: dt.date) -> bool:
    end = month_end(workspace, month)
    with look(workspace.record) as view:
        return any(parse_rfc3339(segment.min_recorded_at) < end for segment in view.segments)


def _holidays(control: Core) -> Collection[dt.date]:
    try:
        return control.registry().company.holidays
    except RegistryNotApplied:
        return ()
