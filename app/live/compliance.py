"""The monthly check as the page shows it: the answer that is kept, its cases, its pack and who signed it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from app.checks import follow
from app.checks.pack import Pack, read_pack
from app.checks.pack_report import answer_sentence, families_of
from app.checks.results import Answer
from app.checks.stored import GridRow, load, pack_folder, stored_months
from app.desk import Desk
from app.errors import CheckError
from runner.control import cases, signatures, waivers
from runner.control.access import WHOLE_COMPANY, may
from runner.control.cases import Case
from runner.control.months import month_text
from runner.control.signatures import Signature
from runner.control.waivers import Waiver


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """One check of the month; ``detail`` is empty for who does not see all teams."""

    check_id: str
    severity: str
    status: str
    title: str
    detail: str
    remedy: str
    clauses: str
    population: int
    violations: int
    is_finding: bool
    case_id: str | None
    due_at: dt.datetime | None
    owner_id: str | None
    is_case_open: bool
    is_overdue: bool


@dataclass(frozen=True, kw_only=True)
class Month:
    """The last answer of a month within a person's reach.

    ``was_signed`` says that an earlier pack of the month has signatures. ``pack`` is None without one,
    ``pack_problem`` says why it cannot be signed; ``cannot_sign`` is the rule's sentence, empty for who may.
    """

    month: dt.date
    sentence: str
    is_clean: bool
    is_demo: bool
    checked_at: dt.datetime
    families: tuple[str, ...]
    grid: tuple[GridRow, ...]
    checks: tuple[CheckRow, ...]
    waivers: tuple[Waiver, ...]
    pack: Pack | None
    pack_problem: str
    signatures: tuple[Signature, ...]
    is_signed: bool
    was_signed: bool
    cannot_sign: str


@dataclass(frozen=True, kw_only=True)
class Signed:
    """One line of the history: a month and pack, who signed it, and whether nobody is missing."""

    month: str
    content_sha256: str
    person_ids: tuple[str, ...]
    signed_at: dt.datetime
    statement: str
    is_complete: bool


def months(desk: Desk) -> list[dt.date]:
    """The months that were checked, newest first."""
    return stored_months(desk.control.workspace)


def month_of(desk: Desk, person_id: str, month: dt.date, team_ids: tuple[str, ...] | None) -> Month | None:
    """The month as ``person_id`` may see it, with agents of ``team_ids`` only (None: all teams).

    None when it was never checked. Raises CheckError when the kept answer cannot be read.
    """
    control = desk.control
    stored = load(control.workspace, month)
    if stored is None:
        return None
    answer = stored.answer
    with control.store.read() as connection:
        known = {one.check_id: one for one in cases.listed(connection) if month_text(month) in one.months}
        given = signatures.of_month(connection, month_text(month))
        waived = waivers.in_force(connection, month)
    pack, problem = _pack(desk, month)
    own = [one for one in given if pack is not None and one.content_sha256 == pack.content_sha256]
    ruling = may(control.registry(), person_id, "sign_report", WHOLE_COMPANY)
    sees_all = team_ids is None
    return Month(
        month=month,
        sentence=answer_sentence(answer),
        is_clean=not answer.findings and answer.exit_code == 0,
        is_demo=answer.is_demo,
        checked_at=stored.checked_at,
        families=families_of(answer),
        grid=tuple(row for row in stored.grid if sees_all or row.team_id in (team_ids or ())),
        checks=_rows(answer, known, control.store.clock(), with_detail=sees_all),
        waivers=tuple(waived) if sees_all else (),
        pack=pack,
        pack_problem=problem,
        signatures=tuple(own),
        is_signed=signatures.is_complete(own),
        was_signed=len(given) > len(own),
        cannot_sign="" if ruling.allowed else ruling.sentence,
    )


def history(desk: Desk) -> list[Signed]:
    """Packs that were signed, the newest first."""
    with desk.control.store.read() as connection:
        given = signatures.of_month(connection)
    by_pack: dict[tuple[str, str], list[Signature]] = {}
    for one in given:
        by_pack.setdefault((one.check_month, one.content_sha256), []).append(one)
    lines = [
        Signed(
            month=month,
            content_sha256=sha256,
            person_ids=tuple(one.person_id for one in own),
            signed_at=own[-1].signed_at,
            statement=own[0].statement,
            is_complete=signatures.is_complete(own),
        )
        for (month, sha256), own in by_pack.items()
    ]
    return sorted(lines, key=lambda line: line.signed_at, reverse=True)


def overdue(desk: Desk, person_id: str) -> list[Case]:
    """Open cases past their deadline, the oldest deadline first: the person's own, all for who may sign."""
    control = desk.control
    sees_all = may(control.registry(), person_id, "sign_report", WHOLE_COMPANY).allowed
    with control.store.read() as connection:
        found = cases.listed(connection, only_open=True)
    now = control.store.clock()
    return [one for one in found if one.is_overdue(now) and (sees_all or one.owner_id == person_id)]


def make_pack(desk: Desk, person_id: str, month: dt.date) -> Pack:
    """Make the evidence pack from the kept answer; nothing is checked again.

    Raises AccessRefused for who may not sign_report, CheckError, WarehouseError.
    """
    control = desk.control
    control.require(control.registry(), person_id, "sign_report", WHOLE_COMPANY)
    return follow.make_pack(control, month)


def sign(desk: Desk, person_id: str, month: dt.date, statement: str) -> Signature:
    """Sign the pack of the month, as the second person where somebody else has signed it.

    Raises AccessRefused, and what :func:`app.checks.follow.sign_pack` raises.
    """
    control = desk.control
    control.require(control.registry(), person_id, "sign_report", WHOLE_COMPANY)
    pack, _ = _pack(desk, month)
    with control.store.read() as connection:
        given = signatures.of_month(connection, month_text(month))
    is_second = pack is not None and any(one.content_sha256 == pack.content_sha256 for one in given)
    said = statement.strip() or follow.statement_of(follow.answer_of(control.workspace, month))
    return follow.sign_pack(control, month, person_id, said, is_second=is_second)


def report_file(pack: Pack) -> Path:
    """The report a person reads."""
    return pack.place / "report.pdf"


def _pack(desk: Desk, month: dt.date) -> tuple[Pack | None, str]:
    place = pack_folder(desk.control.workspace, month)
    if not place.exists():
        return None, ""
    try:
        return read_pack(place), ""
    except CheckError as error:
        return None, str(error)


def _rows(
    answer: Answer, known: dict[str, Case], now: dt.datetime, *, with_detail: bool
) -> tuple[CheckRow, ...]:
    rows = []
    for one in answer.results:
        case = known.get(one.check_id)
        rows.append(
            CheckRow(
                check_id=one.check_id,
                severity=one.severity,
                status=one.status.replace("_", " "),
                title=one.title,
                detail=one.detail if with_detail else "",
                remedy=one.remedy,
                clauses=one.clauses,
                population=one.population,
                violations=one.violations,
                is_finding=one.is_finding,
                case_id=case.case_id if case else None,
                due_at=case.due_at if case else None,
                owner_id=case.owner_id if case else None,
                is_case_open=case is not None and case.is_open,
                is_overdue=case is not None and case.is_overdue(now),
            )
        )
    order = {"ERROR": 0, "FAIL": 1}
    return tuple(sorted(rows, key=lambda row: order.get(row.status, 2)))
