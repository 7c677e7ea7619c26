"""Cases: a check that did not pass is open until somebody saw to it, and said and showed why it is done.

A case is about one check. While it is open, the same check failing in a later month continues it; the
deadline, and the rule it was set by, stay as they were when it was opened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control import notices
from runner.control.access import WHOLE_COMPANY
from runner.control.assurance_tables import case_entries, cases
from runner.control.registry import Registry
from runner.control.registry_extras import CaseDays
from runner.control.store import Transaction
from runner.errors import AssuranceRefused, NotFound, RegistryNotApplied

if TYPE_CHECKING:
    from runner.control.core import Core

EntryKind = Literal["opened", "continued", "noted", "closed"]

_C = cases.c


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A check that failed in a month, or was left without data or decision where that is as bad.

    ``owner_id`` should see to it, where one person answers for all of it.
    """

    check_id: str
    severity: str
    title: str
    detail: str
    owner_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a case's timeline; ``person_id`` None is the product."""

    kind: EntryKind
    person_id: str | None
    reason: str
    evidence: str | None
    told_at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case; ``months`` are those in which its check failed, oldest first."""

    case_id: str
    check_id: str
    severity: str
    title: str
    months: tuple[str, ...]
    owner_id: str | None
    deadline_rule: str
    opened_at: dt.datetime
    due_at: dt.datetime
    closed_by: str | None
    closed_at: dt.datetime | None

    @property
    def is_open(self) -> bool:
        """True until somebody closes it."""
        return self.closed_at is None

    def is_overdue(self, now: dt.datetime) -> bool:
        """True for an open case whose deadline has passed."""
        return self.is_open and self.due_at <= now


def follow(control: Core, check_month: str, failed: Sequence[Failed]) -> list[Case]:
    """Open a case for each failed check, or continue the one that is open; returns them in that order.

    Asking again for a month that its case knows changes nothing, whether the case is open or closed.
    """
    days = _case_days(control)
    with control.store.write() as tx:
        ids = [_follow_one(tx, days, check_month, one) for one in failed]
        found = {case.case_id: case for case in listed(tx.sql)}
    control.relay.flush()
    return [found[case_id] for case_id in ids]


def note(
    control: Core,
    case_id: str,
    person_id: str,
    reason: str,
    *,
    evidence: str | None = None,
    owner_id: str | None = None,
) -> Case:
    """Write into an open case, and give it to ``owner_id`` where one is named.

    Raises NotFound, AssuranceRefused for a closed case or an empty note, AccessRefused.
    """
    registry = control.registry()
    if owner_id is not None:
        control.known_person(registry, owner_id)
    with control.store.read() as connection:
        case = _require_open(connection, case_id, reason)
    _require_concerned(control, registry, case, person_id)
    with control.store.write() as tx:
        _require_open(tx.sql, case_id, reason)
        if owner_id is not None:
            tx.sql.execute(sa.update(cases).where(_C.case_id == case.case_id).values(owner_id=owner_id))
        _enter(tx, case.case_id, "noted", person_id, reason, evidence)
        tx.emit(
            "case_noted",
            case_id=case.case_id,
            check_id=case.check_id,
            actor_id=person_id,
            reason=reason.strip(),
            case_evidence=evidence,
            person_id=owner_id,
        )
        done = find(tx.sql, case.case_id)
    control.relay.flush()
    return done


def close(control: Core, case_id: str, person_id: str, reason: str, evidence: str) -> Case:
    """Close a case with a justification and what shows it.

    Raises NotFound, AssuranceRefused for a closed case or where one of the two is missing, AccessRefused.
    """
    registry = control.registry()
    with control.store.read() as connection:
        case = _require_open(connection, case_id, reason)
    _require_concerned(control, registry, case, person_id)
    if not evidence.strip():
        advice = "Name a ticket, a document or an event with --evidence."
        raise AssuranceRefused(f"case {case_id}", "evidence is missing", advice)
    with control.store.write() as tx:
        _require_open(tx.sql, case_id, reason)
        values = {"closed_by": person_id, "closed_at": tx.now}
        tx.sql.execute(sa.update(cases).where(_C.case_id == case.case_id).values(values))
        _enter(tx, case.case_id, "closed", person_id, reason, evidence.strip())
        tx.emit(
            "case_closed",
            case_id=case.case_id,
            check_id=case.check_id,
            actor_id=person_id,
            reason=reason.strip(),
            case_evidence=evidence.strip(),
        )
        done = find(tx.sql, case.case_id)
    control.relay.flush()
    return done


def listed(connection: Connection, *, only_open: bool = False) -> list[Case]:
    """All cases, or the open ones, the nearest deadline first."""
    query = sa.select(cases).order_by(_C.closed_at.is_not(None), _C.due_at, _C.case_id)
    if only_open:
        query = query.where(_C.closed_at.is_(None))
    return [_case(row) for row in connection.execute(query)]


def find(connection: Connection, case_id: str) -> Case:
    """The case of that id. Raises NotFound."""
    row = connection.execute(sa.select(cases).where(_C.case_id == case_id)).first()
    if row is None:
        raise NotFound("case", case_id, None, "`fleetbook cases` lists them.")
    return _case(row)


def timeline(connection: Connection, case_id: str) -> list[Entry]:
    """What happened in the case, oldest first."""
    of = case_entries.c
    query = sa.select(case_entries).where(of.case_id == case_id).order_by(of.entry_id)
    return [
        Entry(
            kind=row.kind,
            person_id=row.person_id,
            reason=row.reason,
            evidence=row.evidence,
            told_at=row.told_at,
        )
        for row in connection.execute(query)
    ]


def _case_days(control: Core) -> CaseDays:
    """The declared days, those of a new registry where none is applied: logs of other people's runs only."""
    try:
        return control.registry().oversight.case_days
    except RegistryNotApplied:
        return CaseDays()


def _follow_one(tx: Transaction, case_days: CaseDays, check_month: str, failed: Failed) -> str:
    of_check = [case for case in listed(tx.sql) if case.check_id == failed.check_id]
    known = next((case for case in of_check if check_month in case.months), None)
    if known is not None:
        return known.case_id
    standing = next((case for case in of_check if case.is_open), None)
    if standing is None:
        return _open(tx, case_days, check_month, failed)
    months = " ".join(sorted((*standing.months, check_month)))
    tx.sql.execute(sa.update(cases).where(_C.case_id == standing.case_id).values(months=months))
    _enter(
        tx, standing.case_id, "continued", None, f"not passed in {check_month} either: {failed.detail}", None
    )
    tx.emit(
        "case_continued",
        case_id=standing.case_id,
        check_id=failed.check_id,
        check_month=check_month,
        reason=failed.detail,
    )
    return standing.case_id


def _open(tx: Transaction, case_days: CaseDays, check_month: str, failed: Failed) -> str:
    case_id = f"{failed.check_id}-{check_month}"
    days = int(getattr(case_days, failed.severity))
    rule = f"{failed.severity}: {days} days"
    due_at = tx.now + dt.timedelta(days=days)
    row = {
        "case_id": case_id,
        "check_id": failed.check_id,
        "severity": failed.severity,
        "title": failed.title,
        "months": check_month,
        "owner_id": failed.owner_id,
        "deadline_rule": rule,
        "opened_at": tx.now,
        "due_at": due_at,
    }
    tx.sql.execute(sa.insert(cases), row)
    _enter(tx, case_id, "opened", None, failed.detail, None)
    tx.emit(
        "case_opened",
        case_id=case_id,
        check_id=failed.check_id,
        check_month=check_month,
        severity=failed.severity,
        due_at=due_at,
        rule_id=rule,
        person_id=failed.owner_id,
        reason=failed.detail,
    )
    notices.put(
        tx,
        kind="case-opened",
        team_id=None,
        title=f"Check {failed.check_id} did not pass in {check_month}: {failed.title}",
        text=f"{failed.detail} To be closed by {due_at:%Y-%m-%d}. `fleetbook case {case_id}` shows it.",
    )
    return case_id


def _enter(
    tx: Transaction, case_id: str, kind: EntryKind, person_id: str | None, reason: str, evidence: str | None
) -> None:
    row = {
        "case_id": case_id,
        "kind": kind,
        "person_id": person_id,
        "reason": reason.strip(),
        "evidence": evidence,
        "told_at": tx.now,
    }
    tx.sql.execute(sa.insert(case_entries), row)


def _require_open(connection: Connection, case_id: str, reason: str) -> Case:
    case = find(connection, case_id)
    if not case.is_open:
        told = f"{case.closed_by} closed it on {case.closed_at:%Y-%m-%d}"
        raise AssuranceRefused(f"case {case_id}", told, "A later failure of the check opens a new one.")
    if not reason.strip():
        raise AssuranceRefused(f"case {case_id}", "a reason is missing", "Say it in one sentence.")
    return case


def _require_concerned(control: Core, registry: Registry, case: Case, person_id: str) -> None:
    """The owner of the case may, and who may sign_report. Raises AccessRefused, told in the log."""
    control.known_person(registry, person_id)
    if person_id != case.owner_id:
        control.require(registry, person_id, "sign_report", WHOLE_COMPANY)


def _case(row: sa.Row[tuple[object, ...]]) -> Case:
    told = {name: getattr(row, name) for name in Case.__dataclass_fields__}
    return Case(**{**told, "months": tuple(str(told["months"]).split())})
