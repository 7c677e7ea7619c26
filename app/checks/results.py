"""What a monthly check answers: one result per check of the catalogue, and what the whole stands on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Status: TypeAlias = Literal["PASS", "FAIL", "NO_DATA", "ERROR", "WAIVED", "MANUAL"]
Severity: TypeAlias = Literal["critical", "high", "medium"]

STATUSES: tuple[Status, ...] = get_args(Status)
GRAVE: tuple[Severity, ...] = ("critical", "high")
"""Severities whose failure makes the whole month a finding."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one check was decided for the month.

    ``population`` is how many objects were looked at, ``violations`` how many of them break the rule,
    ``first_objects`` the ids of the first of these. ``detail`` says in words what was seen, ``needs`` what
    has to be recorded for it (None: nothing beside what the product records by itself), ``sql_sha256`` is
    the hash of the SQL that ran (None: the check is no SQL). ``clauses`` is what it gives evidence for.
    """

    check_id: str
    severity: Severity
    title: str
    clauses: str
    remedy: str
    status: Status
    population: int
    violations: int
    first_objects: tuple[str, ...]
    detail: str
    sql_sha256: str | None
    needs: str | None

    @property
    def is_finding(self) -> bool:
        """Whether the month is not clean because of this result: unknown is never a pass."""
        if self.status in ("FAIL", "ERROR"):
            return self.severity in GRAVE
        return self.status == "NO_DATA" and self.severity == "critical"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """All results of a month, in the order of the catalogue.

    ``checkpoint_size`` and ``checkpoint_root`` (hex) are of the newest signed checkpoint of the log, None
    where none was signed. ``is_verified`` is False where an integrity check did not pass: the rest is then an
    answer on unverified data. ``late_events`` are about the month and were recorded after it: they do not
    count.
    """

    month: dt.date
    results: tuple[Result, ...]
    checkpoint_size: int | None
    checkpoint_root: str | None
    is_verified: bool
    build_id: str
    late_events: int
    is_demo: bool = False

    @property
    def findings(self) -> tuple[Result, ...]:
        """The results because of which the month is not clean."""
        return tuple(result for result in self.results if result.is_finding)

    @property
    def exit_code(self) -> int:
        """0 clean, 1 something was found, 2 a check could not be decided."""
        if any(result.status == "ERROR" for result in self.results):
            return 2
        return 1 if self.findings else 0
