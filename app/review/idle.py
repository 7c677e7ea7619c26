"""Agents that have not run of late, and whether that is their season: told week by week from earlier cycles.

An agent is out of season when nobody used it in the same weeks of an earlier cycle either (the quarter or the
year before), although it was used in that cycle, or when the registry says when its use is expected.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

IDLE_DAYS = 28
_CYCLES = {"quarter": dt.timedelta(weeks=13), "year": dt.timedelta(weeks=52)}

Season: TypeAlias = Literal["expected", "same weeks before", "none"]


@dataclass(frozen=True, kw_only=True)
class Idle:
    """One agent without a run for ``idle_days`` (None: never used), and whether a season explains it."""

    agent_id: str
    agent_name: str
    team_id: str | None
    last_run_on: dt.date | None
    idle_days: int | None
    season: Season
    why: str


@dataclass(frozen=True, kw_only=True)
class Worked:
    """What an agent did: the days on which it ran, and what the registry expects of it."""

    agent_id: str
    agent_name: str
    team_id: str | None
    expected_use: str
    known_since: dt.date | None
    days: frozenset[dt.date]


def idle_agents(worked: Iterable[Worked], today: dt.date) -> list[Idle]:
    """Agents known for longer than four weeks and without a run in them, the longest idle first."""
    since = today - dt.timedelta(days=IDLE_DAYS - 1)
    found = [
        _idle(one, today)
        for one in worked
        if one.known_since is not None
        and one.known_since < since
        and not any(since <= day <= today for day in one.days)
    ]
    return sorted(found, key=lambda one: (one.season != "none", one.last_run_on or dt.date.min, one.agent_id))


def _idle(one: Worked, today: dt.date) -> Idle:
    past = [day for day in one.days if day <= today]
    last = max(past, default=None)
    season, why = _season(one, past, today)
    return Idle(
        agent_id=one.agent_id,
        agent_name=one.agent_name,
        team_id=one.team_id,
        last_run_on=last,
        idle_days=(today - last).days if last else None,
        season=season,
        why=why,
    )


def _season(one: Worked, past: Sequence[dt.date], today: dt.date) -> tuple[Season, str]:
    if one.expected_use.strip():
        return "expected", f"its use is expected: {one.expected_use.strip()}"
    for cycle, length in _CYCLES.items():
        then = today - length
        first = then - dt.timedelta(days=IDLE_DAYS - 1)
        began = first - (length - dt.timedelta(days=IDLE_DAYS))
        before = [day for day in past if began <= day < first]
        was_idle = not any(first <= day <= then for day in past)
        after = [day for day in past if then < day]
        if was_idle and before and after:
            return "same weeks before", (
                f"the same weeks of the {cycle} before ({first:%-d %b} to {then:%-d %b %Y}) were idle too, "
                "and it was used before and after them"
            )
    return "none", "nobody expects its use, and the same weeks of earlier cycles say nothing"
