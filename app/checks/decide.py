"""Decides each check of the catalogue: pure, from counts, findings, waivers and attested absences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.checks.integrity import NAMED, Count
from app.checks.results import Result, Severity, Status

NOTHING = "nothing checked"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the catalogue, see dim_checks; ``sql_sha256`` is of its SQL, None when it has none."""

    check_id: str
    severity: Severity
    title: str
    clauses: str
    remedy: str
    needs: str | None
    sql_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """One object that breaks a check: its finding id, the object's id, and what is wrong in words."""

    finding_id: str
    object_id: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a decision is made from, by check id.

    ``populations`` and ``found`` come from the warehouse, ``counts`` from the verification of the log;
    ``waived`` are the finding ids that waivers cover, ``absences`` who attested that there was nothing.
    """

    populations: Mapping[str, int]
    found: Mapping[str, Sequence[Found]]
    counts: Mapping[str, Count]
    waived: Mapping[str, frozenset[str]] = field(default_factory=dict)
    absences: Mapping[str, str] = field(default_factory=dict)


def decide(check: Check, evidence: Evidence) -> Result:
    """The result of one check. A check of which nothing is known is an ERROR, never a PASS."""
    if check.check_id in evidence.counts:
        return _result(check, evidence, evidence.counts[check.check_id])
    if check.sql_sha256 is None and check.needs is None:
        return _made(check, "ERROR", Count(population=0, violations=0), "this release does not decide it")
    found = evidence.found.get(check.check_id, ())
    waived = evidence.waived.get(check.check_id, frozenset())
    open_ones = [one for one in found if one.finding_id not in waived]
    named = open_ones or found
    count = Count(
        population=evidence.populations.get(check.check_id, 0),
        violations=len(found),
        first_objects=tuple(one.object_id for one in named[:NAMED]),
        detail=_words(named, len(found) - len(open_ones)),
    )
    if found and not open_ones:
        return _made(check, "WAIVED", count, count.detail)
    return _result(check, evidence, count)


def _result(check: Check, evidence: Evidence, count: Count) -> Result:
    if count.violations:
        return _made(check, "FAIL", count, count.detail)
    if count.population:
        return _made(check, "PASS", count, count.detail)
    attested = evidence.absences.get(check.check_id)
    if attested:
        return _made(check, "MANUAL", count, attested)
    missing = f"; it needs {check.needs}" if check.needs else ""
    return _made(check, "NO_DATA", count, count.detail or f"{NOTHING}{missing}")


def _words(found: Sequence[Found], waived: int) -> str:
    if not found:
        return ""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    beside = f" ({waived} waived)" if waived else ""
    return f"{found[0].detail}{more}{beside}"


def _made(check: Check, status: Status, count: Count, detail: str) -> Result:
    return Result(
        check_id=check.check_id,
        severity=check.severity,
        title=check.title,
        clauses=check.clauses,
        remedy=check.remedy,
        status=status,
        population=count.population,
        violations=count.violations,
        first_objects=count.first_objects,
        detail=detail,
        sql_sha256=check.sql_sha256,
        needs=check.needs,
    )
