"""Decides each requirement of a binder: pure, from the month's answer, events, statements and owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.binder.facts import Facts
from app.binder.requirements import Requirement
from app.checks.results import Answer, Result

Word = Literal["EVIDENCE", "GAP", "NOT OURS"]
NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One requirement as decided: ``evidence`` is what answers it, ``gaps`` what is missing."""

    requirement: Requirement
    word: Word
    evidence: tuple[str, ...]
    gaps: tuple[str, ...]
    owner_id: str | None


def decide(requirement: Requirement, answer: Answer, facts: Facts) -> Line:
    """One line. Whatever is unknown, waived or missing is a gap; only a declared role takes a line out."""
    owner = owner_of(requirement, facts)
    role = facts.settings.role
    if role not in ("both", requirement.who) and requirement.who != "both":
        told = f"oversight.ai_act.role declares the company as {role}; this binds the {requirement.who}"
        return Line(requirement=requirement, word="NOT OURS", evidence=(told,), gaps=(), owner_id=owner)
    evidence, gaps = _told(requirement, answer, facts)
    if owner is None:
        gaps.append(f"{NOBODY} is declared to answer for it")
    if not answer.is_verified and requirement.checks:
        gaps.append("the log did not verify: the checks are on unverified data")
    return Line(
        requirement=requirement,
        word="GAP" if gaps else "EVIDENCE",
        evidence=tuple(evidence),
        gaps=tuple(gaps),
        owner_id=owner,
    )


def owner_of(requirement: Requirement, facts: Facts) -> str | None:
    """Who sees to it, by its id, its article, or for all; None for nobody, and for who is not there."""
    owners: Mapping[str, str] = facts.settings.owners
    keys = (requirement.id, requirement.article_number, "*")
    named = next((owners[key] for key in keys if key in owners), None)
    return named if named in facts.people else None


def _told(requirement: Requirement, answer: Answer, facts: Facts) -> tuple[list[str], list[str]]:
    """What answers it and what is missing, in words."""
    by_id = {result.check_id: result for result in answer.results}
    evidence: list[str] = []
    gaps: list[str] = []
    for check_id in requirement.checks:
        result = by_id.get(check_id)
        if result is None:
            gaps.append(f"{check_id} was not decided for the month")
            continue
        (evidence if result.status in ("PASS", "MANUAL") else gaps).append(_words(result))
    for name in requirement.events:
        count = facts.event_counts.get(name, 0)
        (evidence if count else gaps).append(f"{count:,} events {name} in the month")
    if requirement.attest:
        said = facts.statements.get(requirement.id)
        if said is None:
            gaps.append("no person has stated it: `fleetbook binder attest`")
        else:
            evidence.append(f"stated by {said.person_id} for {said.first_month}: {said.reason}")
    return evidence, gaps


def _words(result: Result) -> str:
    if result.status == "PASS":
        return f"{result.check_id} PASS, {result.population:,} looked at"
    if result.status == "FAIL":
        return f"{result.check_id} FAIL, {result.violations:,} of {result.population:,}"
    told = result.detail or ("accepted by a waiver" if result.status == "WAIVED" else "nothing to look at")
    return f"{result.check_id} {result.status.replace('_', ' ')}: {told}"
