"""One page per agent at risk: human oversight configured, used, obeyed and alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from app.checks.results import Answer
from app.checks.stored import Proof

Row = Mapping[str, object]
Standing: TypeAlias = Literal["found", "waived", "clear"]


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """Who decided about an agent in the month: how checks find them, and planted errors got and caught."""

    standing: Standing
    planted: int
    caught: int


def proof(row: Row, answer: Answer, reviewers: Mapping[str, Reviewer]) -> tuple[Proof, ...]:
    """Whether human oversight of an agent is configured, used, obeyed and alive.

    ``row`` is the agent's line of the agents' table, ``reviewers`` who decided about it in the month.
    """
    return (_configured(row), _used(row), _obeyed(row, answer), _alive(row, reviewers))


def agent_page(row: Row, answer: Answer, reviewers: Mapping[str, Reviewer]) -> dict[str, object]:
    """What the report says of one agent; the arguments are those of :func:`proof`."""
    runs = _count(row, "runs")
    about = [
        str(row["agent_id"]),
        f"team {row['team_id'] or 'unknown'}",
        f"risk {row['risk_class']}",
        f"owner {row['owner_id'] or 'nobody'}",
        f"status {row['status'] or 'unknown'}",
        f"{runs:,} runs in {answer.month:%B %Y}",
    ]
    return {
        "name": str(row["agent_name"] or row["agent_id"]),
        "about": " · ".join(about),
        "purpose": str(row["purpose"] or "No purpose is declared."),
        "parts": [asdict(part) for part in proof(row, answer, reviewers)],
    }


def _configured(row: Row) -> Proof:
    tools, ruled = _count(row, "consequential_tools"), _count(row, "ruled_tools")
    bare = tools - ruled
    if not _count(row, "runs"):
        word, sentence = "NO DATA", "It did not run in the month."
    elif not tools:
        word, sentence = "NO DATA", "No version that ran has a tool whose call has consequences."
    elif bare:
        word, sentence = "FAIL", f"{bare} of {tools} consequential tools have no approval rule."
    else:
        word, sentence = "PASS", "Every consequential tool of each version that ran has an approval rule."
    figures = [
        ["Versions that ran", str(row["versions"])],
        ["Consequential tools in them", f"{tools:,}"],
        ["of these with an approval rule", f"{ruled:,}"],
    ]
    return _part("Configured", word, sentence, figures)


def _used(row: Row) -> Proof:
    calls, asked = _count(row, "consequential_calls"), _count(row, "asked_calls")
    missing = _count(row, "hitl_02_violations")
    if not calls:
        word, sentence = "NO DATA", "It made no consequential call."
    elif missing:
        word, sentence = "FAIL", f"{missing:,} calls ran without the decision that their rule asks for."
    else:
        word, sentence = "PASS", "Every call that its rule asks about was put before a person."
    figures = [
        ["Consequential calls", f"{calls:,}"],
        ["put before a person", f"{asked:,}"],
        [
            "executed without asking (below the rule's threshold, or a finding)",
            f"{_count(row, 'unasked_calls'):,}",
        ],
    ]
    return _part("Used", word, sentence, figures)


_OBEYED = {
    "HITL-02": "Calls without a decision before them",
    "HITL-03": "Decisions by who started the run or wrote the version",
    "HITL-04": "Calls whose arguments differ from the approved ones",
    "HITL-07": "Approvals used twice or after they had expired",
    "HITL-08": "Calls executed although rejected or lapsed",
    "HITL-11": "Calls that needed two people and had fewer",
}


def _obeyed(row: Row, answer: Answer) -> Proof:
    known = {result.check_id for result in answer.results}
    figures, population, violations = [], 0, 0
    for check_id, words in _OBEYED.items():
        name = check_id.lower().replace("-", "_")
        seen, bad = row[f"{name}_population"], _count(row, f"{name}_violations")
        if check_id not in known:
            continue
        looked_at = _count(row, f"{name}_population")
        population, violations = population + looked_at, violations + bad
        told = "nothing to look at" if seen is None or not looked_at else f"{bad:,} of {looked_at:,}"
        figures.append([f"{words} ({check_id})", told])
    if not population:
        word, sentence = "NO DATA", "There was no decision and no call to look at."
    elif violations:
        word, sentence = (
            "FAIL",
            "What people decided was not what happened, or they should not have decided it.",
        )
    else:
        word, sentence = (
            "PASS",
            "Nothing ran without a decision it needed, and what ran is what was approved.",
        )
    return _part("Obeyed", word, sentence, figures)


def _alive(row: Row, reviewers: Mapping[str, Reviewer]) -> Proof:
    decided, timed = _count(row, "decided"), _count(row, "timed")
    if not decided:
        return _part("Alive", "NO DATA", "Nobody decided anything in the month.", [])
    figures = [
        ["Decisions", f"{decided:,}"],
        ["Median time to decide", _seconds(row["decide_p50_s"])],
        ["Nine of ten decided within", _seconds(row["decide_p90_s"])],
        ["Rejected", _share(_count(row, "rejected"), decided)],
        ["Approved with changes", _share(_count(row, "approved_changed"), decided)],
        ["Decided in less than 2 s", _share(_count(row, "under_2s"), timed)],
        ["Requests that expired", f"{_count(row, 'expired'):,}"],
    ]
    found = ", ".join(sorted(person for person, one in reviewers.items() if one.standing == "found"))
    waived = ", ".join(sorted(person for person, one in reviewers.items() if one.standing == "waived"))
    if found:
        word, sentence = "FAIL", f"Checks of reviewers (HITL-05, 06, 10, 12) find something about {found}."
    elif waived:
        word, sentence = (
            "WAIVED",
            f"What checks of reviewers (HITL-05, 06, 10, 12) find about {waived} is waived.",
        )
    else:
        word, sentence = "PASS", "Checks of reviewers (HITL-05, 06, 10, 12) find nothing about who decided."
    planted, caught = (
        sum(getattr(one, name) for one in reviewers.values()) for name in ("planted", "caught")
    )
    figures.append(["People who decided", f"{len(reviewers):,}"])
    figures.append(
        ["Planted errors that these caught", _share(caught, planted) if planted else "none was put to them"]
    )
    return _part("Alive", word, sentence, figures)


def _part(title: str, word: str, sentence: str, figures: list[list[str]]) -> Proof:
    told = tuple((name, figure) for name, figure in figures)
    return Proof(title=title, word=word, sentence=sentence, figures=told)


def _count(row: Row, name: str) -> int:
    value = row[name]
    return int(value) if isinstance(value, int) else 0


def _seconds(value: object) -> str:
    if not isinstance(value, float | int):
        return "unknown"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else "unknown"
