"""Refreshes for a page: tasks within a person's reach; trying, judging and rolling back a new version."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.desk import Desk
from app.live.reach import sees_agent
from app.review import judging
from app.review.concerns import EVERYTHING
from app.review.evidence import Failure, WorstRun
from app.review.rules import rules_of
from app.review.verdict import Verdict
from app.warehouse import Scoped
from runner.control import lifecycle, refreshes
from runner.control.owners import require_owner_or
from runner.control.refreshes import Refresh
from runner.control.trials import ArmName

__all__ = ["ARMS", "ArmName", "Task", "judge", "roll_back", "start", "tasks"]

ARMS: dict[ArmName, str] = {"new": "The new version goes on", "old": "Back to the old version"}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One refresh as a page shows it; days are those of the company's zone."""

    agent_id: str
    agent_name: str
    review_period: str
    trial_id: str
    status: str
    reason: str
    opened_by: str
    opened_at: dt.datetime
    old_version: int
    new_version: int | None
    share_percent: int | None
    judge_on: dt.date | None
    is_due: bool
    verdict: str | None
    verdicts: tuple[Verdict, ...]
    kept_arm: str | None
    closed_reason: str | None
    failures: tuple[Failure, ...]
    worst_runs: tuple[WorstRun, ...]


def tasks(desk: Desk, person_id: str, agent_id: str | None = None) -> list[Task]:
    """Refreshes of agents that the person may see, those that are open first, then the newest."""
    control = desk.control
    registry, now = control.registry(), control.store.clock()
    zone = ZoneInfo(registry.company.time_zone)
    with control.store.read() as connection:
        found = refreshes.listed(connection)
        versions = {name: one.agent_version for name, one in lifecycle.agent_states(connection).items()}
    names = {name: one.name for name, one in registry.agents.items()}
    shown = [
        _task(one, names.get(one.agent_id, one.agent_id), versions.get(one.agent_id), zone, now)
        for one in found
        if agent_id in (None, one.agent_id) and sees_agent(registry, person_id, one.agent_id)
    ]
    return sorted(shown, key=lambda one: (one.status == "closed", -one.opened_at.timestamp()))


def start(desk: Desk, person_id: str, agent_id: str, share_percent: int, judge_on: dt.date) -> None:
    """Try the next version on a share of the runs until the day. Raises as :func:`refreshes.start`."""
    zone = ZoneInfo(desk.control.registry().company.time_zone)
    judge_at = dt.datetime.combine(judge_on, dt.time(), zone)
    refreshes.start(desk.control, agent_id, person_id, share_percent=share_percent, judge_at=judge_at)


def judge(
    desk: Desk, scoped: Scoped, person_id: str, agent_id: str, keep: ArmName, reason: str, *, is_demo: bool
) -> str:
    """Close the trial with its verdict, from all runs of both arms; returns the word for all measures.

    Raises as :func:`app.review.judging.judge`.
    """
    require_owner_or(desk.control, desk.control.registry(), person_id, "apply_registry", agent_id)
    rules, _ = rules_of(desk.control.workspace)
    # A verdict is about the agent, not about what its judge may list.
    whole = scoped.warehouse.for_person(EVERYTHING)
    done = judging.judge(
        desk.control,
        whole,
        agent_id,
        rules=rules,
        is_demo=is_demo,
        person_id=person_id,
        keep=keep,
        reason=reason,
    )
    return done.verdict or "no verdict"


def roll_back(desk: Desk, person_id: str, agent_id: str, reason: str) -> None:
    """Go back to the old version at once. Raises as :func:`refreshes.roll_back`."""
    refreshes.roll_back(desk.control, agent_id, person_id, reason)


def _task(one: Refresh, agent_name: str, in_force: int | None, zone: ZoneInfo, now: dt.datetime) -> Task:
    evidence = json.loads(one.evidence)
    is_new_there = one.status != "closed" and in_force is not None and in_force != one.old_version
    return Task(
        agent_id=one.agent_id,
        agent_name=agent_name,
        review_period=one.review_period,
        trial_id=one.trial_id,
        status=one.status,
        reason=one.reason,
        opened_by=one.opened_by,
        opened_at=one.opened_at,
        old_version=one.old_version,
        new_version=in_force if is_new_there else one.new_version,
        share_percent=one.share_percent,
        judge_on=one.judge_at.astimezone(zone).date() if one.judge_at else None,
        is_due=one.is_due(now),
        verdict=one.verdict,
        verdicts=tuple(judging.shown(one)),
        kept_arm=one.kept_arm,
        closed_reason=one.closed_reason,
        failures=tuple(Failure(**found) for found in evidence.get("failures", ())),
        worst_runs=tuple(WorstRun(**found) for found in evidence.get("worst_runs", ())),
    )
