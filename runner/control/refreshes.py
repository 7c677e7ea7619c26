"""Refreshes: the task that a review opens on an agent, the trial of its new version, and how it ends.

A task is opened with evidence by the decision to refresh, started as a trial with a share and a day for the
verdict, and closed with that verdict, or rolled back before.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control import agent_changes, notices
from runner.control.access import agent_target
from runner.control.admission import AgentState
from runner.control.assurance_tables import refreshes
from runner.control.lifecycle import find_agent
from runner.control.owners import require_owner_or
from runner.control.store import Transaction
from runner.control.trials import ArmName, trial_id_of
from runner.errors import NotFound, ReviewRefused

if TYPE_CHECKING:
    from runner.control.core import Core
    from runner.control.plane import Control

_R = refreshes.c
_LIST = "`fleetbook review refreshes` lists what is open."


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """One task; ``status`` is open (no trial yet), trial or closed.

    ``evidence`` and ``verdicts`` are JSON texts. ``share_percent`` 100 replaces the old version at once;
    ``new_version`` and ``kept_arm`` stand there once it is closed.
    """

    agent_id: str
    review_period: str
    status: str
    reason: str
    evidence: str
    old_version: int
    opened_by: str
    opened_at: dt.datetime
    share_percent: int | None = None
    started_by: str | None = None
    started_at: dt.datetime | None = None
    judge_at: dt.datetime | None = None
    new_version: int | None = None
    verdict: str | None = None
    verdicts: str | None = None
    kept_arm: str | None = None
    closed_by: str | None = None
    closed_reason: str | None = None
    closed_at: dt.datetime | None = None

    @property
    def trial_id(self) -> str:
        """Its name in events and marts."""
        return trial_id_of(self.agent_id, self.review_period)

    def is_due(self, now: dt.datetime) -> bool:
        """True when the day of the verdict has come."""
        return self.status == "trial" and self.judge_at is not None and self.judge_at <= now


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was measured: one word for all, and each measure as JSON data."""

    verdict: str
    measures: Sequence[Mapping[str, object]]


_FIELDS = tuple(Refresh.__dataclass_fields__)


def put_task(
    tx: Transaction,
    state: AgentState,
    review_period: str,
    person_id: str,
    reason: str,
    evidence: Mapping[str, object],
) -> None:
    """Open the task within the decision's transaction. Raises ReviewRefused while another one is open."""
    before = find_open(tx.sql, state.agent_id)
    if before is not None:
        problem = f"its refresh of {before.review_period} is not closed yet"
        raise ReviewRefused(state.agent_id, problem, f"`fleetbook review judge {state.agent_id}` closes it.")
    task = Refresh(
        agent_id=state.agent_id,
        review_period=review_period,
        status="open",
        reason=reason,
        evidence=json.dumps(evidence, sort_keys=True, ensure_ascii=False),
        old_version=state.agent_version,
        opened_by=person_id,
        opened_at=tx.now,
    )
    tx.sql.execute(sa.insert(refreshes), {name: getattr(task, name) for name in _FIELDS})
    tx.emit(
        "refresh_opened",
        agent_id=state.agent_id,
        agent_version=state.agent_version,
        team_id=state.team_id,
        actor_id=person_id,
        person_id=person_id,
        review_period=review_period,
        trial_id=task.trial_id,
        old_version=task.old_version,
        reason=reason,
        text=task.evidence,
        kind="specification",
    )


def start(
    control: Core, agent_id: str, person_id: str, *, share_percent: int, judge_at: dt.datetime
) -> Refresh:
    """Give the version in force, or the next one, a share of the runs until the verdict is due.

    Raises NotFound without an open task, ReviewRefused for a share or a day that cannot be, AccessRefused.
    """
    registry = control.registry()
    require_owner_or(control, registry, person_id, "apply_registry", agent_id)
    with control.store.write() as tx:
        task = find_task(tx.sql, agent_id)
        state = find_agent(tx.sql, registry, agent_id)
        _require_startable(task, share_percent, judge_at, tx.now)
        values = {
            "status": "trial",
            "share_percent": share_percent,
            "started_by": person_id,
            "started_at": tx.now,
            "judge_at": judge_at,
        }
        tx.sql.execute(sa.update(refreshes).where(_this(task)).values(values))
        tx.emit(
            "trial_started",
            agent_id=agent_id,
            agent_version=state.agent_version,
            team_id=state.team_id,
            actor_id=person_id,
            person_id=person_id,
            trial_id=task.trial_id,
            old_version=task.old_version,
            share_percent=share_percent,
            judge_at=judge_at,
        )
    control.relay.flush()
    return _again(control, task)


def close(
    control: Core,
    agent_id: str,
    person_id: str,
    *,
    outcome: Outcome,
    keep: ArmName,
    reason: str,
) -> Refresh:
    """End the trial with its verdict; ``keep`` names the version that all runs get from here.

    Raises NotFound without an open task, ReviewRefused before the day of the verdict, AccessRefused.
    """
    registry = control.registry()
    require_owner_or(control, registry, person_id, "apply_registry", agent_id)
    with control.store.write() as tx:
        task = find_task(tx.sql, agent_id)
        state = find_agent(tx.sql, registry, agent_id)
        _require_judgeable(task, state, tx.now)
        _end(tx, task, state, person_id, outcome, keep, _said(agent_id, reason))
    control.relay.flush()
    return _again(control, task)


def roll_back(control: Control, agent_id: str, person_id: str, reason: str) -> Refresh:
    """Go back to the old version at once: every run gets it from here, see :func:`write_old` for the file.

    Raises NotFound without an open task, ReviewRefused when no new version is in force, AccessRefused.
    """
    registry = control.registry()
    require_owner_or(control, registry, person_id, "apply_registry", agent_id)
    with control.store.write() as tx:
        task = find_task(tx.sql, agent_id)
        state = find_agent(tx.sql, registry, agent_id)
        if state.agent_version == task.old_version:
            problem = f"version {task.old_version} is in force, there is nothing to roll back"
            raise ReviewRefused(agent_id, problem, "Declare the new version in registry.yaml first.")
        _end(tx, task, state, person_id, None, "old", _said(agent_id, reason))
    write_old(control, task, person_id, reason)
    control.relay.flush()
    return _again(control, task)


def write_old(control: Control, task: Refresh, person_id: str, reason: str) -> bool:
    """Let registry.yaml declare the old version again, as a new one that is the same.

    False where the person may not change agents: runs get the old version all the same.
    """
    target = agent_target(control.registry(), task.agent_id)
    if not control.may(person_id, "change_agents", target).allowed:
        return False
    agent_changes.roll_back(control, task.agent_id, task.old_version, by=person_id, reason=reason)
    return True


def drop(tx: Transaction, state: AgentState, person_id: str, reason: str) -> None:
    """Close a task that has no agent any more: it is being retired."""
    task = find_open(tx.sql, state.agent_id)
    if task is not None:
        _end(tx, task, state, person_id, None, None, reason)


def find_open(connection: Connection, agent_id: str) -> Refresh | None:
    """The task of the agent that is not closed, or None."""
    query = sa.select(refreshes).where(_R.agent_id == agent_id, _R.status != "closed")
    row = connection.execute(query).first()
    return None if row is None else _refresh(row)


def find_task(connection: Connection, agent_id: str) -> Refresh:
    """The task of the agent that is not closed. Raises NotFound."""
    found = find_open(connection, agent_id)
    if found is None:
        raise NotFound("open refresh", agent_id, None, _LIST)
    return found


def listed(connection: Connection, *, only_open: bool = False) -> list[Refresh]:
    """Tasks, oldest first."""
    query = sa.select(refreshes).order_by(_R.opened_at, _R.agent_id)
    if only_open:
        query = query.where(_R.status != "closed")
    return [_refresh(row) for row in connection.execute(query)]


def _end(
    tx: Transaction,
    task: Refresh,
    state: AgentState,
    person_id: str,
    outcome: Outcome | None,
    keep: ArmName | None,
    reason: str,
) -> None:
    measures = json.dumps(list(outcome.measures), sort_keys=True) if outcome else None
    values = {
        "status": "closed",
        # What is discarded has to be known, also where no trial was started.
        "started_at": task.started_at or (tx.now if keep == "old" else None),
        "new_version": state.agent_version if state.agent_version != task.old_version else None,
        "verdict": outcome.verdict if outcome else None,
        "verdicts": measures,
        "kept_arm": keep,
        "closed_by": person_id,
        "closed_reason": reason,
        "closed_at": tx.now,
    }
    tx.sql.execute(sa.update(refreshes).where(_this(task)).values(values))
    tx.emit(
        "refresh_closed",
        agent_id=state.agent_id,
        agent_version=state.agent_version,
        team_id=state.team_id,
        actor_id=person_id,
        person_id=person_id,
        trial_id=task.trial_id,
        trial_verdict=values["verdict"],
        trial_arm=keep,
        old_version=task.old_version,
        reason=reason,
        text=measures,
        kind="specification",
    )
    word = outcome.verdict if outcome else "no verdict"
    goes_on = f" Its {keep} version goes on." if keep else ""
    notices.put(
        tx,
        kind="refresh-closed",
        team_id=state.team_id,
        title=f"Refresh of {state.agent_id} closed: {word}",
        text=f"{person_id}: {reason}.{goes_on}",
        about={"agent_id": state.agent_id, "actor_id": person_id},
    )


def _require_startable(task: Refresh, share: int, judge_at: dt.datetime, now: dt.datetime) -> None:
    problem = None
    if task.status == "trial":
        problem = f"its trial runs since {task.started_at:%Y-%m-%d}"
    elif not 1 <= share <= 100:
        problem = f"a share of {share} % is none from 1 to 100"
    elif judge_at <= now:
        problem = f"the day of the verdict, {judge_at:%Y-%m-%d %H:%M} UTC, is over"
    if problem:
        advice = "Give a share from 1 to 100 (100 replaces the old version) and a day to come, once."
        raise ReviewRefused(task.agent_id, problem, advice)


def _require_judgeable(task: Refresh, state: AgentState, now: dt.datetime) -> None:
    problem = None
    if task.status != "trial":
        problem = "its new version is not on trial"
    elif not task.is_due(now):
        problem = f"the verdict is due on {task.judge_at:%Y-%m-%d %H:%M} UTC, and not before"
    elif state.agent_version == task.old_version:
        problem = f"version {task.old_version} is in force still, and no new one came"
    if problem:
        advice = (
            f"`fleetbook review trial {task.agent_id}` starts one; `fleetbook review rollback "
            f"{task.agent_id}` goes back at any time."
        )
        raise ReviewRefused(task.agent_id, problem, advice)


def _said(agent_id: str, reason: str) -> str:
    if not reason.strip():
        raise ReviewRefused(agent_id, "a reason is missing", "Say why in one sentence; the log keeps it.")
    return reason.strip()


def _again(control: Core, task: Refresh) -> Refresh:
    with control.store.read() as connection:
        return _refresh(connection.execute(sa.select(refreshes).where(_this(task))).one())


def _this(task: Refresh) -> sa.ColumnElement[bool]:
    return sa.and_(_R.agent_id == task.agent_id, _R.review_period == task.review_period)


def _refresh(row: sa.Row[tuple[object, ...]]) -> Refresh:
    return Refresh(**{name: getattr(row, name) for name in _FIELDS})
