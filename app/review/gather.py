"""Reads what a review needs from one generation, within one person's scope."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import TypeAlias

import polars as pl

from app.errors import ReviewError
from app.review.figures import Figures, Subject, Version
from app.review.quarters import Quarter
from app.warehouse import Scoped

Row: TypeAlias = dict[str, object]

_NAMES = tuple(one.name for one in fields(Figures))
# Nobody reviews what is not at work: drafts are not there yet, retired ones are gone.
NOT_REVIEWED = ("draft", "review", "retired")


def gather(
    scoped: Scoped, quarter: Quarter, *, is_demo: bool, open_cases: Mapping[str, int] | None = None
) -> list[Subject]:
    """Every agent of the scope that was at work in ``quarter`` or could have been, by id.

    Agents that no registry declares are among them: they were used. Rows after the quarter do not count.
    ``open_cases`` counts cases by agent, None where nobody keeps them.
    """
    last_day = quarter.last_day
    by_quarter = _by_quarter(scoped.table("rpt_agent_quarters", is_demo=is_demo, last_date=last_day))
    versions = _versions(scoped.table("rpt_version_quarters", is_demo=is_demo, last_date=last_day))
    declared = _declared(scoped.table("dim_agent_versions", is_demo=is_demo))
    statuses = _statuses(scoped.table("dim_agent_history", is_demo=is_demo), last_day)
    found = []
    for row in scoped.table("dim_agents", is_demo=is_demo).iter_rows(named=True):
        subject = _subject(row, quarter, by_quarter, versions, declared)
        if open_cases is not None:
            subject = replace(subject, open_cases=open_cases.get(subject.agent_id, 0))
        known = subject.known_since
        # What became of it afterwards, by this review or another, does not change who was under review.
        then = statuses.get(subject.agent_id, subject.status)
        if then not in NOT_REVIEWED and known is not None and known <= last_day:
            found.append(subject)
    return sorted(found, key=lambda one: one.agent_id)


def ran_versions(
    scoped: Scoped, agent_id: str, old: int | None, new: int | None, *, is_demo: bool
) -> tuple[int, int]:
    """The versions to compare, old and new: those given, else the newest that ran and the one before it.

    Raises ReviewError when there are no two.
    """
    frame = scoped.table("rpt_version_quarters", is_demo=is_demo, agent_id=agent_id)
    numbers = [one.agent_version for one in _versions(frame).get(agent_id, ())]
    after = new if new is not None else next(iter(numbers), None)
    before = old if old is not None else next((one for one in numbers if after and one < after), None)
    if before is None or after is None:
        raise ReviewError(
            f"No verdict: {agent_id} has {len(numbers)} version(s) that ran, and two are compared. "
            "`fleetbook agents versions` lists what was declared."
        )
    return before, after


def _subject(
    row: Row,
    quarter: Quarter,
    by_quarter: dict[str, dict[Quarter, Figures]],
    versions: dict[str, tuple[Version, ...]],
    declared: dict[str, dt.date],
) -> Subject:
    agent_id = str(row["agent_id"])
    first_run = row["first_run_at"]
    return Subject(
        agent_id=agent_id,
        agent_name=str(row["agent_name"] or agent_id),
        team_id=_text(row["team_id"]),
        owner_id=_text(row["owner_id"]),
        risk_class=_text(row["risk_class"]),
        status=_text(row["status"]),
        expected_use=str(row["expected_use"] or ""),
        template_id=_text(row["template_id"]),
        declared_on=declared.get(agent_id),
        first_run_on=first_run.date() if isinstance(first_run, dt.datetime) else None,
        quarter=quarter,
        by_quarter=by_quarter.get(agent_id, {}),
        versions=versions.get(agent_id, ()),
    )


def _by_quarter(frame: pl.DataFrame) -> dict[str, dict[Quarter, Figures]]:
    found: dict[str, dict[Quarter, Figures]] = defaultdict(dict)
    for row in frame.iter_rows(named=True):
        found[row["agent_id"]][Quarter.of(row["quarter_start_date"])] = _figures(row)
    return found


def _versions(frame: pl.DataFrame) -> dict[str, tuple[Version, ...]]:
    """Each agent's versions that ran, newest first, their quarters added up."""
    parts: dict[tuple[str, int], list[Figures]] = defaultdict(list)
    for row in frame.iter_rows(named=True):
        if row["agent_version"] is not None:
            parts[row["agent_id"], row["agent_version"]].append(_figures(row))
    found: dict[str, list[Version]] = defaultdict(list)
    for (agent_id, number), figures in sorted(parts.items(), reverse=True):
        total = added(figures)
        if total.runs:
            found[agent_id].append(Version(agent_version=number, figures=total))
    return {agent_id: tuple(some) for agent_id, some in found.items()}


def _statuses(frame: pl.DataFrame, last_day: dt.date) -> dict[str, str]:
    """The status of each agent when ``last_day`` was over (UTC); agents declared later are left out."""
    end = dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time(), dt.UTC)
    held = frame.filter(pl.col("valid_from_at") < end, pl.col("valid_until_at").fill_null(end) >= end)
    return dict(held.select("agent_id", "status").iter_rows())


def _declared(frame: pl.DataFrame) -> dict[str, dt.date]:
    first = frame.group_by("agent_id").agg(pl.col("declared_at").min())
    return {agent_id: moment.date() for agent_id, moment in first.iter_rows() if moment is not None}


def added(parts: Iterable[Figures]) -> Figures:
    """Figures of disjoint times added up; people and teams are not additive and stay 0."""
    values: dict[str, object] = {}
    some = list(parts)
    for name in _NAMES:
        if name in ("users", "user_teams"):
            continue
        known = [value for one in some if (value := getattr(one, name)) is not None]
        if name == "last_run_date":
            values[name] = max(known, default=None)
        elif name.endswith("_usd"):
            values[name] = sum(known, Decimal(0)) if known else None
        else:
            values[name] = sum(known)
    return Figures(**values)  # type: ignore[arg-type]  # each name got a value of its own kind


def _figures(row: Row) -> Figures:
    return Figures(**{name: row[name] for name in _NAMES if name in row})  # type: ignore[arg-type]  # columns of the mart


def _text(value: object) -> str | None:
    return None if value is None else str(value)
