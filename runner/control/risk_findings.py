"""Findings of the checks between months: told once each, and settled when a person says what it was."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import new_event_id
from ingest.event_fields import SEVERITIES
from runner.control import notices
from runner.control.access import WHOLE_COMPANY, Target
from runner.control.assurance_tables import risk_findings, risk_scans
from runner.errors import AssuranceRefused, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core
    from runner.control.store import Transaction

_F = risk_findings.c
_TOLD = 5
_ASKED_AT_ONCE = 500  # engines bound how many values one statement takes


@dataclass(frozen=True, kw_only=True)
class RiskFinding:
    """One finding: what was found about whom, why it counts, and the ids of what shows it.

    ``evidence`` are ids; ``places`` say where in which text, never the text. ``found_at`` is None until it
    was told.
    """

    finding_id: str
    risk_kind: str
    severity: str
    agent_id: str | None
    team_id: str | None
    run_id: str | None
    person_id: str | None
    reason: str
    evidence: tuple[str, ...]
    places: tuple[str, ...] = ()
    is_demo: bool = False
    found_at: dt.datetime | None = None
    settled_by: str | None = None
    settled_at: dt.datetime | None = None
    settled_reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has settled it yet."""
        return self.settled_at is None


@dataclass(frozen=True, kw_only=True)
class RiskScan:
    """One look at the runs of ``first_date`` to ``last_date``.

    ``populations`` is risk kind to the objects that were looked at; 0 means that nothing was. ``is_whole``
    is False where one agent was asked about. ``unread_texts`` could not be read.
    """

    scanned_at: dt.datetime
    first_date: dt.date
    last_date: dt.date
    is_demo: bool
    is_whole: bool
    rule_version: int
    populations: Mapping[str, int]
    unread_texts: int
    new_findings: int


def tell(control: Core, found: Sequence[RiskFinding], scan: RiskScan, notes: str = "") -> list[RiskFinding]:
    """Tell the log of those of ``found`` that were never told before, and of the scan; returns the new ones.

    Both happen in one transaction: a scan that is interrupted has told nothing.
    """
    with control.store.write() as tx:
        known = _known(tx.sql, [one.finding_id for one in found])
        new = [one for one in found if one.finding_id not in known]
        for one in new:
            _tell(tx, one, scan.rule_version)
        if new:
            _notify(tx, new)
        counted = json.dumps(dict(scan.populations), sort_keys=True)
        row = {
            **{name: getattr(scan, name) for name in RiskScan.__dataclass_fields__},
            "scan_id": new_event_id(tx.now),
            "scanned_at": tx.now,
            "first_date": scan.first_date.isoformat(),
            "last_date": scan.last_date.isoformat(),
            "populations": counted,
            "new_findings": len(new),
        }
        tx.sql.execute(sa.insert(risk_scans), row)
        tx.emit(
            "risk_scanned",
            text=counted,
            kind="specification",
            new_finding_count=len(new),
            rule_version=scan.rule_version,
            row_count=sum(scan.populations.values()),
            unread_text_count=scan.unread_texts,
            reason=notes or None,
        )
    control.relay.flush()
    return new


def settle(control: Core, finding_id: str, person_id: str, reason: str) -> RiskFinding:
    """Say what a finding was; it is not shown as open any more, and is not told again.

    The finding's id may be shortened to its end. Who may sign_report or stop_run on its agent does it.
    Raises NotFound, AssuranceRefused without a reason or when it is settled, AccessRefused.
    """
    registry = control.registry()
    with control.store.read() as connection:
        found = find(connection, finding_id)
    about = Target(agent_id=found.agent_id, team_id=found.team_id)
    if not control.may(person_id, "stop_run", about).allowed or not (found.agent_id or found.team_id):
        control.require(registry, person_id, "sign_report", WHOLE_COMPANY)
    if not reason.strip():
        advice = "Say in one sentence what it was."
        raise AssuranceRefused(f"finding {found.finding_id}", "a reason is missing", advice)
    with control.store.write() as tx:
        found = find(tx.sql, found.finding_id)
        if found.settled_at is not None:
            told = f"{found.settled_by} settled it on {found.settled_at:%Y-%m-%d}"
            raise AssuranceRefused(f"finding {found.finding_id}", told, "Nothing is left to do.")
        words = {"settled_by": person_id, "settled_at": tx.now, "settled_reason": reason.strip()}
        tx.sql.execute(sa.update(risk_findings).where(_F.finding_id == found.finding_id).values(**words))
        tx.emit(
            "risk_settled",
            {"agent_id": found.agent_id, "team_id": found.team_id, "run_id": found.run_id},
            actor_id=person_id,
            person_id=person_id,
            finding_id=found.finding_id,
            risk_kind=found.risk_kind,
            reason=reason.strip(),
        )
        done = find(tx.sql, found.finding_id)
    control.relay.flush()
    return done


def find(connection: Connection, finding_id: str) -> RiskFinding:
    """The finding of that id, or the only one whose id ends so. Raises NotFound."""
    ends = _F.finding_id.endswith(finding_id, autoescape=True)
    rows = connection.execute(sa.select(risk_findings).where(ends).limit(3)).all()
    exact = [row for row in rows if row.finding_id == finding_id]
    if not finding_id or len(exact or rows) != 1:
        raise NotFound("risk finding", finding_id, None, "`fleetbook risk findings` lists them.")
    return _finding((exact or rows)[0])


def listed(
    connection: Connection,
    *,
    is_demo: bool | None = None,
    since: dt.datetime | None = None,
    only_open: bool = False,
) -> list[RiskFinding]:
    """Findings, the newest first."""
    query = sa.select(risk_findings).order_by(_F.found_at.desc(), _F.finding_id)
    if is_demo is not None:
        query = query.where(_F.is_demo == is_demo)
    if since is not None:
        query = query.where(_F.found_at >= since)
    if only_open:
        query = query.where(_F.settled_at.is_(None))
    return [_finding(row) for row in connection.execute(query)]


def last_scan(connection: Connection, *, is_demo: bool | None = None) -> RiskScan | None:
    """The newest scan of all agents, None before the first."""
    query = sa.select(risk_scans).where(risk_scans.c.is_whole).order_by(risk_scans.c.scanned_at.desc())
    if is_demo is not None:
        query = query.where(risk_scans.c.is_demo == is_demo)
    row = connection.execute(query.limit(1)).first()
    if row is None:
        return None
    return RiskScan(
        scanned_at=row.scanned_at,
        first_date=dt.date.fromisoformat(row.first_date),
        last_date=dt.date.fromisoformat(row.last_date),
        is_demo=row.is_demo,
        is_whole=row.is_whole,
        rule_version=row.rule_version,
        populations=json.loads(row.populations),
        unread_texts=row.unread_texts,
        new_findings=row.new_findings,
    )


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        some = ids[start : start + _ASKED_AT_ONCE]
        known.update(connection.scalars(sa.select(_F.finding_id).where(_F.finding_id.in_(some))))
    return known


def _tell(tx: Transaction, one: RiskFinding, rule_version: int) -> None:
    row = {name: getattr(one, name) for name in RiskFinding.__dataclass_fields__}
    row |= {"evidence": ";".join(one.evidence), "places": ";".join(one.places), "found_at": tx.now}
    tx.sql.execute(sa.insert(risk_findings), row)
    tx.emit(
        "risk_found",
        {"agent_id": one.agent_id, "team_id": one.team_id, "run_id": one.run_id},
        is_demo=one.is_demo,
        finding_id=one.finding_id,
        risk_kind=one.risk_kind,
        severity=one.severity,
        person_id=one.person_id,
        reason=one.reason,
        evidence_ids=";".join(one.evidence),
        text_places=";".join(one.places) or None,
        rule_version=rule_version,
    )


def _notify(tx: Transaction, new: Sequence[RiskFinding]) -> None:
    counts = Counter(one.severity for one in new)
    told = ", ".join(f"{counts[word]} {word}" for word in SEVERITIES if counts[word])
    number = "1 new risk finding" if len(new) == 1 else f"{len(new)} new risk findings"
    first = "; ".join(f"{one.agent_id or 'no agent'}: {one.reason}" for one in new[:_TOLD])
    notices.put(
        tx,
        kind="risk-findings",
        team_id=None,
        title=f"{number}: {told}",
        text=f"{first}. `fleetbook risk findings` lists them.",
        about={},
    )


def _finding(row: sa.Row[tuple[object, ...]]) -> RiskFinding:
    told = {name: getattr(row, name) for name in RiskFinding.__dataclass_fields__}
    parts = {name: tuple(part for part in told[name].split(";") if part) for name in ("evidence", "places")}
    return RiskFinding(**{**told, **parts})
