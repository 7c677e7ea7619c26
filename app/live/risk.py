"""The checks between months as a page shows them: what was found, what was looked at, and settling it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.desk import Desk
from app.risk.rules import KINDS
from runner.control import risk_findings
from runner.control.access import WHOLE_COMPANY, Target, may
from runner.control.risk_findings import RiskFinding, RiskScan

__all__ = ["Looked", "RiskFinding", "RiskScan", "Seen", "seen", "settle"]

GRAVE = ("critical", "high")


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One check: what it asks, how many objects the last scan looked at, and how many findings are open.

    ``nothing`` says what there was none of, empty where something was looked at.
    """

    kind: str
    title: str
    looked_at: int
    open_findings: int
    nothing: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The risk side within a person's reach: the last scan (None: nobody looked), checks, findings.

    ``can_settle`` are the ids that the person may settle.
    """

    scan: RiskScan | None
    checks: tuple[Looked, ...]
    findings: tuple[RiskFinding, ...]
    can_settle: frozenset[str]

    @property
    def open_ones(self) -> tuple[RiskFinding, ...]:
        """Findings that nobody settled."""
        return tuple(one for one in self.findings if one.is_open)


def seen(desk: Desk, person_id: str, team_ids: tuple[str, ...] | None, *, is_demo: bool) -> Seen:
    """What the person may see: findings about agents of ``team_ids`` (None: all), the newest first."""
    control = desk.control
    with control.store.read() as connection:
        scan = risk_findings.last_scan(connection, is_demo=is_demo)
        listed = risk_findings.listed(connection, is_demo=is_demo)
    found = [one for one in listed if team_ids is None or one.team_id in team_ids]
    registry = control.registry()
    signs = may(registry, person_id, "sign_report", WHOLE_COMPANY).allowed
    able = {
        one.finding_id
        for one in found
        if signs
        or (
            one.team_id is not None
            and may(
                registry, person_id, "stop_run", Target(agent_id=one.agent_id, team_id=one.team_id)
            ).allowed
        )
    }
    checks = _checks(scan, found) if scan is not None and team_ids is None else ()
    return Seen(scan=scan, checks=checks, findings=tuple(found), can_settle=frozenset(able))


def remedy(kind: str) -> str:
    """What to do about a finding of ``kind``."""
    return KINDS[kind].remedy


def settle(desk: Desk, person_id: str, finding_id: str, reason: str) -> RiskFinding:
    """Say what a finding was. Raises what :func:`runner.control.risk_findings.settle` raises."""
    return risk_findings.settle(desk.control, finding_id, person_id, reason)


def _checks(scan: RiskScan, found: Sequence[RiskFinding]) -> tuple[Looked, ...]:
    open_ones = Counter(one.risk_kind for one in found if one.is_open)
    return tuple(
        Looked(
            kind=kind,
            title=about.title,
            looked_at=scan.populations.get(kind, 0),
            open_findings=open_ones[kind],
            nothing="" if scan.populations.get(kind, 0) else f"there were no {about.looked_at}",
        )
        for kind, about in KINDS.items()
    )
