"""The pack of a review: a PDF for the meeting, a workbook with every number, a manifest of digests."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path

import polars as pl

from app.export.formats import write
from app.review.cards import Card
from app.review.duplicates import Alike
from app.review.figures import Subject
from app.review.idle import Idle
from app.review.portfolio import Spread, holdings, spread
from app.review.propose import KINDS, counted, rate_text
from app.review.quarters import Quarter
from runner.control.reviews import Decided

_MEANINGS = {
    "proposal": "What the rules propose; nothing is decided by it.",
    "rule": "The rule that led to the proposal.",
    "success_low": "Lower bound of Wilson's 95 % interval of the success rate.",
    "success_high": "Upper bound of Wilson's 95 % interval of the success rate.",
    "value_usd": "Successes × declared minutes × the declared hour; empty where nobody declared minutes.",
    "net_low_usd": "Value by the lower bound of success − known cost.",
    "net_high_usd": "Value by the upper bound of success − known cost.",
    "unmet_gates": "What keeps it from a promotion.",
    "open_cases": "Cases about it that were open when the quarter was over; empty where nobody keeps cases.",
    "decision": "What was decided, and by whom.",
}
_METHOD = (
    "A run counts in the quarter in which it ended. Success is a run completed without a person stepping in; "
    "where the source gives a verdict, completed means that the verdict is good.",
    "Intervals are Wilson's, 95 %. Agents with too few runs are not ranked.",
    "Cost per success is the known cost of all ended runs by successful runs; unknown cost is not zero.",
    "A proposal follows from rules that anybody may read and change; a decision is a person's.",
)


def write_pack(
    folder: Path,
    cards: Sequence[Card],
    decided: Sequence[Decided],
    *,
    quarter: Quarter,
    company: str,
    build_id: str,
    is_demo: bool,
    rules_source: str,
    look_alikes: Sequence[Alike] = (),
    idle: Sequence[Idle] = (),
) -> dict[str, str]:
    """Write report.pdf, agents.xlsx, agents.csv and manifest.json; returns file name to SHA256 in hex.

    The same cards and decisions give the same PDF and CSV, byte by byte.
    """
    folder.mkdir(parents=True, exist_ok=True)
    decisions = {one.agent_id: _decision(one) for one in decided}
    report = {
        "title": f"Agent review {quarter}",
        "company": company,
        "date": _date(quarter.last_day),
        "footer": f"{company} · review {quarter} · build {build_id}{' · demo data' if is_demo else ''}",
        "sentence": _sentence(cards, decisions),
        "notes": [f"Rules: {rules_source}.", *(["These are demo data."] if is_demo else [])],
        "groups": _groups(cards, decisions),
        "teams": [
            [one.team_id or "no team", *(f"{number:,}" for number in _of_team(one))] for one in spread(cards)
        ],
        "portfolio": _portfolio(cards),
        "look_alikes": [_like(one) for one in look_alikes],
        "idle": [f"{one.agent_name} ({_since(one)}): {one.why}" for one in idle],
        "method": list(_METHOD),
    }
    (folder / "report.pdf").write_bytes(_pdf(report))
    frame = _frame(cards, decisions)
    write([frame], folder / "agents.xlsx", "xlsx", _MEANINGS)
    write([frame], folder / "agents.csv", "csv", _MEANINGS)
    made = {name: _sha256(folder / name) for name in ("report.pdf", "agents.xlsx", "agents.csv")}
    manifest = {"quarter": str(quarter), "build_id": build_id, "is_demo": is_demo, "files": made}
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return {**made, "manifest.json": _sha256(folder / "manifest.json")}


def _pdf(report: Mapping[str, object]) -> bytes:
    import typst

    with as_file(files("app.review").joinpath("report.typ")) as template:
        made = typst.compile(template, sys_inputs={"data": json.dumps(report)}, pdf_standards="a-3b")
    assert isinstance(made, bytes)  # one PDF, not one image per page
    return made


def _groups(cards: Sequence[Card], decisions: Mapping[str, str]) -> list[dict[str, object]]:
    groups: list[dict[str, object]] = []
    for kind in KINDS:
        found = [card for card in cards if card.proposal.kind == kind]
        if found:
            name = f"{kind.replace('_', ' ').capitalize()} ({len(found)})"
            groups.append({"name": name, "cards": [_told(card, decisions) for card in found]})
    return groups


def _told(card: Card, decisions: Mapping[str, str]) -> dict[str, object]:
    subject, now = card.subject, card.subject.figures()
    numbers = [counted(now.runs, "run")]
    if now.runs:
        numbers.append(f"success {rate_text(now.success)}")
        numbers.append(f"quarter before {rate_text(subject.figures(1).success)}")
        numbers += _version_lines(subject)
    if now.cost_per_success_usd is not None:
        numbers.append(f"{now.cost_per_success_usd:.4f} USD per success")
    if now.users:
        numbers.append(f"{counted(now.users, 'person', 'people')} of {counted(now.user_teams, 'team')}")
    if card.value_usd is not None:
        numbers.append(f"value {card.value_usd} USD (declared)")
    about = " · ".join(
        part
        for part in (
            subject.team_id,
            f"{subject.risk_class} risk" if subject.risk_class else None,
            subject.owner_id,
        )
        if part
    )
    return {
        "agent": subject.agent_name,
        "about": about,
        "numbers": numbers,
        "reason": card.proposal.reason,
        "asides": _asides(card),
        "decision": decisions.get(subject.agent_id, ""),
    }


def _version_lines(subject: Subject) -> list[str]:
    """The newest version that ran and the one before it."""
    return [f"v{one.agent_version} {rate_text(one.figures.success)}" for one in subject.versions[:2]]


def _asides(card: Card) -> list[str]:
    """What a meeting asks next: season, refusals, cases."""
    subject, now = card.subject, card.subject.figures()
    told = []
    if subject.expected_use:
        told.append(f"expected use: {subject.expected_use}")
    if now.wallet_refusals:
        told.append(f"wallets refused it {counted(now.wallet_refusals, 'time')}")
    if subject.open_cases:
        told.append(counted(subject.open_cases, "open case"))
    return told


def _portfolio(cards: Sequence[Card]) -> list[list[str]]:
    """Agents whose value is declared, the surest net value first."""
    known = [one for one in holdings(cards) if one.net_usd is not None]
    return [
        [
            one.agent_name,
            f"{one.value_usd:,.0f}",
            f"{'≥ ' if one.unknown_cost_runs else ''}{one.cost_usd:,.2f}",
            f"{one.net_low_usd:,.0f} to {one.net_high_usd:,.0f}",
            f"{one.users} ({one.users_before} before)",
        ]
        for one in known
    ]


def _of_team(one: Spread) -> tuple[int, int, int, int, int]:
    return one.agents, one.used, one.from_templates, one.unregistered, one.runs


def _like(one: Alike) -> str:
    shared = ", ".join([*one.shared_words, *one.shared_tools])
    return f"{one.first.agent_name} and {one.second.agent_name}: {one.explained}. They share {shared}."


def _since(one: Idle) -> str:
    return f"last run {one.last_run_on}" if one.last_run_on else "never used"


def _frame(cards: Sequence[Card], decisions: Mapping[str, str]) -> pl.DataFrame:
    rows = []
    net = {one.agent_id: one for one in holdings(cards)}
    for card in cards:
        subject, now = card.subject, card.subject.figures()
        rows.append(
            {
                "agent_id": subject.agent_id,
                "team_id": subject.team_id,
                "owner_id": subject.owner_id,
                "risk_class": subject.risk_class,
                "proposal": card.proposal.kind,
                "rule": card.proposal.rule,
                "reason": card.proposal.reason,
                "runs": now.runs,
                "successes": now.successes,
                "success_low": now.success.low,
                "success_high": now.success.high,
                "tool_calls_executed": now.tool_calls_executed,
                "tool_errors": now.tool_errors,
                "cost_usd": now.cost_usd,
                "users": now.users,
                "user_teams": now.user_teams,
                "users_before": subject.figures(1).users,
                "runs_before": subject.figures(1).runs,
                "successes_before": subject.figures(1).successes,
                "expected_use": subject.expected_use or None,
                "open_cases": subject.open_cases,
                "unmet_gates": "; ".join(card.unmet_gates) or None,
                "wallet_refusals": now.wallet_refusals,
                "value_usd": card.value_usd,
                "net_low_usd": net[subject.agent_id].net_low_usd,
                "net_high_usd": net[subject.agent_id].net_high_usd,
                "decision": decisions.get(subject.agent_id),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _sentence(cards: Sequence[Card], decisions: Mapping[str, str]) -> str:
    counts = [(kind, sum(card.proposal.kind == kind for card in cards)) for kind in KINDS]
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts if count)
    return f"{counted(len(cards), 'agent')}: {told or 'nothing to review'}. {len(decisions)} decided."


def _decision(one: Decided) -> str:
    by = one.decided_by + (f", confirmed by {one.confirmed_by}" if one.confirmed_by else "")
    waits = ", waits for a second person" if one.status == "waiting" else ""
    return f"Decided: {one.review_decision} by {by}{waits} – {one.reason}"


def _date(day: dt.date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
