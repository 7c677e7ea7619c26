"""The report of an evidence pack: what it says, as JSON for the template ``report.typ``, and its PDF."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from app.checks.pack_agents import Reviewer, Standing, agent_page, proof
from app.checks.pack_tables import Due, Tables
from app.checks.results import STATUSES, Answer, Result, Status
from app.checks.stored import GridRow
from app.export.glyphs import with_glyphs
from runner.control.months import last_day
from runner.control.waivers import Waiver

TEMPLATE = Path(__file__).with_name("report.typ")
FAMILIES = ("INT", "REC", "HITL", "GOV", "INC", "RET", "ACC", "META")
SHOWN_FINDINGS = 12
_REVIEWER_CHECKS = ("HITL-05", "HITL-06", "HITL-10", "HITL-12")
_TOLD: Mapping[Status, str] = {
    "FAIL": "failed",
    "ERROR": "could not be decided",
    "NO_DATA": "had no data",
}
_WORDS = {status: status.replace("_", " ") for status in STATUSES}


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a pack tells beside the answer: whose it is, cases by check, and the waivers that count."""

    company: str
    cases: Mapping[str, Due] = field(default_factory=dict)
    waivers: Sequence[Waiver] = ()


def answer_sentence(answer: Answer) -> str:
    """The answer in one sentence, for the first line of the report and of the page."""
    counts = Counter(result.status for result in answer.results)
    total = len(answer.results)
    bad = [f"{counts[status]} {word}" for status, word in _TOLD.items() if counts[status]]
    told = ", ".join(bad) if bad else "none failed"
    where = f"to checkpoint {answer.checkpoint_size:,}" if answer.checkpoint_size else "without a checkpoint"
    integrity = f"integrity verified {where}" if answer.is_verified else "integrity NOT verified"
    return f"Of {total} checks {told}; {integrity}."


def families_of(answer: Answer) -> tuple[str, ...]:
    """The families of checks that were asked, in the order of the catalogue."""
    return tuple(
        name for name in FAMILIES if any(one.check_id.startswith(f"{name}-") for one in answer.results)
    )


def grid(answer: Answer, tables: Tables) -> tuple[GridRow, ...]:
    """Per agent at risk a word for each family of checks that was asked, and the proof of human oversight."""
    by_id = {result.check_id: result for result in answer.results}
    seen = _seen(tables, by_id)
    return tuple(
        GridRow(
            agent_id=str(agent["agent_id"]),
            agent_name=str(agent["agent_name"] or agent["agent_id"]),
            team_id=agent["team_id"],
            words=tuple(
                _family_word(name, str(agent["agent_id"]), by_id, seen) for name in families_of(answer)
            ),
            oversight=proof(agent, answer, _reviewers(tables, str(agent["agent_id"]))),
        )
        for agent in tables.agents.iter_rows(named=True)
    )


def _seen(tables: Tables, by_id: Mapping[str, Result]) -> dict[tuple[str, str], tuple[int, int]]:
    """Agent and check to objects looked at and found; checks of reviewers count who decided about it."""
    counts = tables.counts.filter(pl.col("agent_id").is_not_null()).group_by("agent_id", "check_id")
    summed = counts.agg(pl.col("population").sum(), pl.col("violations").sum())
    seen = {
        (row["agent_id"], row["check_id"]): (int(row["population"]), int(row["violations"]))
        for row in summed.iter_rows(named=True)
    }
    for agent_id in tables.agents["agent_id"]:
        for check_id in [one for one in _REVIEWER_CHECKS if one in by_id]:
            people = _reviewers(tables, agent_id, (check_id,))
            bad: Standing = "waived" if by_id[check_id].status == "WAIVED" else "found"
            seen[agent_id, check_id] = (len(people), sum(one.standing == bad for one in people.values()))
    return seen


def _family_word(
    family: str, agent_id: str, by_id: Mapping[str, Result], seen: Mapping[tuple[str, str], tuple[int, int]]
) -> str:
    """The word of a family for one agent; checks of the whole company count where they looked at no agent."""
    checks = [check for check in by_id if check.startswith(f"{family}-")]
    agents = {check for _, check in seen}
    own = [seen[agent_id, check] for check in checks if (agent_id, check) in seen]
    whole = [by_id[check] for check in checks if check not in agents]
    failing = {check for check in checks if seen.get((agent_id, check), (0, 0))[1]}
    if any(by_id[check].status != "WAIVED" for check in failing):
        return "FAIL"
    words = {_WORDS[one.status] for one in whole}
    for word in ("ERROR", "FAIL"):
        if word in words:
            return word
    if failing:
        return "WAIVED"
    if any(population for population, _ in own) or "PASS" in words:
        return "PASS"
    return "MANUAL" if words == {"MANUAL"} else "NO DATA"


def report_json(answer: Answer, tables: Tables, beside: Beside) -> dict[str, object]:
    """Everything that the report says, ready for the template."""
    last = last_day(answer.month)
    findings = [_finding(result, beside.cases) for result in answer.findings]
    return {
        "title": f"Monthly check of AI agents, {answer.month:%B %Y}",
        "company": beside.company,
        "date": [last.year, last.month, last.day],
        "footer": f"{beside.company} · monthly check {answer.month:%Y-%m} · evidence, not a certificate",
        "is_demo": answer.is_demo,
        "sentence": answer_sentence(answer),
        "because": _because(answer),
        "tally": [
            [_WORDS[status], str(sum(result.status == status for result in answer.results))]
            for status in STATUSES
        ],
        "findings": findings[:SHOWN_FINDINGS],
        "more": f"{len(findings) - SHOWN_FINDINGS} more: see All checks."
        if len(findings) > SHOWN_FINDINGS
        else "",
        "integrity": _integrity(answer),
        "grid": {
            "families": families_of(answer),
            "rows": [[row.agent_name, *row.words] for row in grid(answer, tables)],
        },
        "agents": [
            agent_page(row, answer, _reviewers(tables, str(row["agent_id"])))
            for row in tables.agents.iter_rows(named=True)
        ],
        "checks": [
            [
                one.check_id,
                one.severity,
                _WORDS[one.status],
                one.title,
                f"{one.population:,}",
                f"{one.violations:,}",
            ]
            for one in answer.results
        ],
        "waivers": [
            [one.finding_id or one.check_id, one.granted_by, one.reason, f"{one.last_date}"]
            for one in beside.waivers
        ],
        "verified": "verified" if answer.is_verified else "NOT verified",
        "roots": [
            ["Checkpoint, manifest lines", str(answer.checkpoint_size or "none")],
            ["Checkpoint, root (SHA-256)", answer.checkpoint_root or "none"],
        ],
    }


def pdf(told: Mapping[str, object], month: dt.date, template: Path = TEMPLATE) -> bytes:
    """The report as a tagged PDF/A-3b whose date is the end of the month: the same bytes every time.

    ``template`` reads ``told`` from ``sys.inputs.report``.
    """
    import typst

    end = dt.datetime.combine(last_day(month), dt.time(), dt.UTC)
    made = typst.compile(
        str(template),
        format="pdf",
        root=str(template.parent),
        ignore_system_fonts=True,
        sys_inputs={"report": json.dumps(with_glyphs(told), ensure_ascii=False)},
        pdf_standards=["a-3b"],
        timestamp=int(end.timestamp()),
    )
    if not isinstance(made, bytes):  # several pages come as a list in other formats only
        raise TypeError("the report is not one PDF")
    return made


def _reviewers(
    tables: Tables, agent_id: str, checks: tuple[str, ...] = _REVIEWER_CHECKS
) -> dict[str, Reviewer]:
    """Who decided about the agent, and how they stand in ``checks``."""
    about = tables.findings.filter(pl.col("check_id").is_in(checks))
    waived = set(about.filter("is_waived")["person_id"].to_list())
    found = set(about.filter(~pl.col("is_waived"))["person_id"].to_list())
    own = tables.approvals.filter((pl.col("agent_id") == agent_id) & pl.col("decision").is_not_null())
    planted = {row["person_id"]: row for row in tables.planted.iter_rows(named=True)}
    return {
        person: Reviewer(
            standing="found" if person in found else "waived" if person in waived else "clear",
            planted=planted.get(person, {}).get("planted", 0),
            caught=planted.get(person, {}).get("caught", 0),
        )
        for person in own["decided_by"].drop_nulls().unique().sort()
    }


def _finding(result: Result, cases: Mapping[str, Due]) -> list[str]:
    case = cases.get(result.check_id)
    told = result.detail or "nothing to look at"
    what = told if result.status == "NO_DATA" else f"{told}. {result.remedy}"
    return [
        result.check_id,
        result.severity,
        f"{result.title}: {what}",
        f"{case.due_at:%Y-%m-%d}" if case else "no case",
    ]


def _because(answer: Answer) -> list[str]:
    lines = []
    if not answer.is_verified:
        lines.append("An integrity check did not pass: everything below is an answer on unverified data.")
    if answer.findings:
        named = ", ".join(result.check_id for result in answer.findings[:8])
        lines.append(f"The month is not clean because of {named}.")
    elif answer.exit_code == 0:
        lines.append("No check of high or critical severity failed or was left without data.")
    return lines


def _integrity(answer: Answer) -> list[str]:
    size = f"{answer.checkpoint_size:,} manifest lines" if answer.checkpoint_size else None
    return [
        f"Signed checkpoint of {size}; its root is in the integrity statement."
        if size
        else "No signed checkpoint covers the log: nothing outside could show that it was changed.",
        "The hash chains, sequences and files of the log were recomputed."
        if answer.is_verified
        else "The log did not verify, or was not verified.",
        f"{answer.late_events:,} events about the month were recorded after it had ended; they do not count."
        if answer.late_events
        else "No event about the month was recorded after it had ended.",
    ]
