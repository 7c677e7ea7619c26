"""Waivers: a person accepts what a check finds, with a reason and until a day, and answers for it.

A waiver counts for the months from its first one on that end before it expires, until it is withdrawn.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import new_event_id
from runner.control.access import WHOLE_COMPANY
from runner.control.assurance_tables import waivers
from runner.control.months import company_zone, day_end, last_day, month_before, month_text, parse_month
from runner.errors import AssuranceRefused, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

_W = waivers.c
LONGEST_DAYS = 366


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One waiver; without ``finding_id`` it is about everything that the check finds.

    It counts until ``last_date`` is over in the company's zone, which is at ``expires_at``.
    """

    waiver_id: str
    check_id: str
    finding_id: str | None
    first_month: str
    granted_by: str
    reason: str
    granted_at: dt.datetime
    last_date: dt.date
    expires_at: dt.datetime
    withdrawn_by: str | None = None
    withdrawn_at: dt.datetime | None = None

    def covers(self, month: dt.date) -> bool:
        """Whether it counts for the month."""
        is_within = self.first_month <= month_text(month) and last_day(month) <= self.last_date
        return is_within and self.withdrawn_at is None


_FIELDS = tuple(Waiver.__dataclass_fields__)


def grant(
    control: Core,
    about: str,
    person_id: str,
    reason: str,
    until: dt.date,
    *,
    first_month: str | None = None,
) -> Waiver:
    """Waive a check (``HITL-12``) or one finding (``HITL-12 <object>``) until the end of the day ``until``.

    ``first_month`` is the first month it counts for, the last complete one when left out. Raises
    AssuranceRefused without a reason or for a day that is past or more than a year ahead; AccessRefused.
    """
    registry = control.registry()
    control.require(registry, person_id, "sign_report", WHOLE_COMPANY)
    check_id, _, rest = about.strip().partition(" ")
    zone = company_zone(control)
    expires_at = day_end(until, zone)
    with control.store.write() as tx:
        _check(about, reason, until, expires_at, tx.now)
        first = parse_month(first_month) if first_month else month_before(tx.now, zone)
        waiver = Waiver(
            waiver_id=new_event_id(tx.now),
            check_id=check_id,
            finding_id=about.strip() if rest else None,
            first_month=month_text(first),
            granted_by=person_id,
            reason=reason.strip(),
            granted_at=tx.now,
            last_date=until,
            expires_at=expires_at,
        )
        row = {**{name: getattr(waiver, name) for name in _FIELDS}, "last_date": until.isoformat()}
        tx.sql.execute(sa.insert(waivers), row)
        tx.emit(
            "waiver_granted",
            actor_id=person_id,
            person_id=person_id,
            waiver_id=waiver.waiver_id,
            check_id=check_id,
            finding_id=waiver.finding_id,
            check_month=waiver.first_month,
            reason=waiver.reason,
            expires_at=expires_at,
        )
    control.relay.flush()
    return waiver


def withdraw(control: Core, waiver_id: str, person_id: str, reason: str) -> Waiver:
    """Take a waiver back (its id, or the end of it); it counts for no month any more.

    Raises NotFound, AssuranceRefused without a reason or when it is withdrawn, AccessRefused.
    """
    registry = control.registry()
    control.require(registry, person_id, "sign_report", WHOLE_COMPANY)
    if not reason.strip():
        raise AssuranceRefused(f"waiver {waiver_id}", "a reason is missing", "Say why in one sentence.")
    with control.store.write() as tx:
        found = _find(tx.sql, waiver_id)
        if found.withdrawn_at is not None:
            told = f"{found.withdrawn_by} withdrew it on {found.withdrawn_at:%Y-%m-%d}"
            raise AssuranceRefused(f"waiver {waiver_id}", told, "Nothing is left to do.")
        this = sa.update(waivers).where(_W.waiver_id == found.waiver_id)
        tx.sql.execute(this.values(withdrawn_by=person_id, withdrawn_at=tx.now))
        tx.emit(
            "waiver_withdrawn",
            actor_id=person_id,
            person_id=person_id,
            waiver_id=found.waiver_id,
            check_id=found.check_id,
            finding_id=found.finding_id,
            reason=reason.strip(),
        )
        done = _find(tx.sql, found.waiver_id)
    control.relay.flush()
    return done


def all_waivers(connection: Connection) -> list[Waiver]:
    """Every waiver, oldest first."""
    rows = connection.execute(sa.select(waivers).order_by(_W.granted_at, _W.waiver_id))
    return [_waiver(row) for row in rows]


def in_force(connection: Connection, month: dt.date) -> list[Waiver]:
    """The waivers that count for the month, oldest first."""
    return [waiver for waiver in all_waivers(connection) if waiver.covers(month)]


def _check(about: str, reason: str, until: dt.date, expires_at: dt.datetime, now: dt.datetime) -> None:
    if not reason.strip():
        raise AssuranceRefused(about, "a reason is missing", "Say why it is acceptable in one sentence.")
    if not now < expires_at <= now + dt.timedelta(days=LONGEST_DAYS):
        problem = f"a waiver until {until} is past or lasts longer than a year"
        raise AssuranceRefused(about, problem, "Name a day within the next year with --until.")


def _find(connection: Connection, waiver_id: str) -> Waiver:
    found = [one for one in all_waivers(connection) if one.waiver_id.endswith(waiver_id)]
    if not waiver_id or len(found) != 1:
        raise NotFound("waiver", waiver_id, None, "`fleetbook waivers` lists them.")
    return found[0]


def _waiver(row: sa.Row[tuple[object, ...]]) -> Waiver:
    told = {name: getattr(row, name) for name in _FIELDS}
    return Waiver(**{**told, "last_date": dt.date.fromisoformat(str(told["last_date"]))})
