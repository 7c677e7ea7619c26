"""The demo company's registry as it changed: agents that came later, and versions before today's.

Each stage is a whole registry at a moment. The control plane applies them in turn, as it would have then, so
that versions, rules and budgets are numbered and told by the same code as in a company's own workspace.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import sqlalchemy as sa

from app.demo.cast import DeclaredVersion
from app.demo.fleet import FLEET
from app.demo.habits import Habit, Past
from app.demo.story import Plan
from ingest.log.writer import utc_now
from ingest.workspace import Workspace
from runner.control.lifecycle import agent_states
from runner.control.plane import Control
from runner.control.registry import Agent, Budget, Registry
from runner.control.store import Clock
from runner.control.tables import agent_versions, registry_revisions
from runner.control.version_approval import approve_version, approvers, find_version, waiting_versions

DECLARED_AT_HOUR = 6  # before the first run of a working day
READ_IN = dt.timedelta(minutes=40)  # so long a second person takes for a version


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The registry from ``moment`` on."""

    moment: dt.datetime
    registry: Registry


def moment_of(plan: Plan, past: Past) -> dt.datetime:
    """When a version was declared: on the morning of a working day."""
    day = plan.moment(past.since).astimezone(plan.zone).date()
    while day.weekday() >= 5:
        day += dt.timedelta(days=1)
    return plan.at(day, DECLARED_AT_HOUR)


def stages(plan: Plan, today: Registry, earlier_budgets: tuple[Budget, ...]) -> list[Stage]:
    """All stages, oldest first; ``earlier_budgets`` were in force before the month in which the history ends.

    The last stage is ``today`` as it is declared, from the end of the history on.
    """
    moments = {moment_of(plan, past) for habit in FLEET for past in habit.past}
    budget_day = max(plan.month_start, min(moments))
    built = [
        Stage(
            moment=moment,
            registry=_registry_at(
                plan, today, moment, today.budgets if moment >= budget_day else earlier_budgets
            ),
        )
        for moment in sorted(moments | {budget_day})
        if moment < plan.end
    ]
    return [*built, Stage(moment=plan.end, registry=today)]


def apply_stages(workspace: Workspace, planned: list[Stage]) -> None:
    """Apply the stages that are not applied yet; their events are durable in the log when this returns."""
    count = sa.select(sa.func.count(registry_revisions.c.revision))
    with _control(workspace, utc_now) as control, control.store.read() as connection:
        done: int = connection.execute(count).scalar_one()
    if done:
        _approve_versions(workspace, planned[done - 1].moment, planned[-1].moment)
    for stage in planned[done:]:
        with _control(workspace, _standing_at(stage.moment)) as control:
            control.apply(stage.registry)
        _approve_versions(workspace, stage.moment, planned[-1].moment)


def _approve_versions(workspace: Workspace, declared_at: dt.datetime, end: dt.datetime) -> None:
    """The owner of an agent approves its version where a second person has to, before the day's runs."""
    with _control(workspace, _standing_at(min(declared_at + READ_IN, end))) as control:
        with control.store.read() as connection:
            waiting, states = waiting_versions(connection), agent_states(connection)
            found = [(agent_id, find_version(connection, agent_id, number)) for agent_id, number in waiting]
        for agent_id, version in found:
            second_person = approvers(control.registry(), states[agent_id], version)[0]
            approve_version(control, agent_id, version.agent_version, second_person, "read and tried")


def declared_versions(workspace: Workspace) -> dict[str, list[DeclaredVersion]]:
    """Every agent's versions as the control store numbered them, oldest first."""
    found: dict[str, list[DeclaredVersion]] = defaultdict(list)
    with _control(workspace, utc_now) as control, control.store.read() as connection:
        query = sa.select(agent_versions).order_by(agent_versions.c.agent_id, agent_versions.c.agent_version)
        for row in connection.execute(query):
            found[row.agent_id].append(
                DeclaredVersion(
                    agent_version=row.agent_version,
                    version_hash=row.version_hash,
                    declared_at=row.declared_at,
                )
            )
    return found


def rehearsed_versions(plan: Plan) -> dict[str, list[DeclaredVersion]]:
    """The versions of the history before anything is applied, for a look at what the month will cost."""
    return {
        habit.agent_id: [
            DeclaredVersion(agent_version=number, version_hash="", declared_at=moment_of(plan, past))
            for number, past in enumerate(habit.past, start=1)
        ]
        for habit in FLEET
    }


def _control(workspace: Workspace, clock: Clock) -> Control:
    return Control(
        workspace, process_name="demo registry", recorded_via="registry", is_demo=True, clock=clock
    )


def _standing_at(moment: dt.datetime) -> Clock:
    return lambda: moment


def _registry_at(plan: Plan, today: Registry, moment: dt.datetime, budgets: tuple[Budget, ...]) -> Registry:
    agents: dict[str, Agent] = {}
    for habit in FLEET:
        past = _past_at(plan, habit, moment)
        if past is not None:
            agents[habit.agent_id] = _agent_in(today.agents[habit.agent_id], past)
    return today.model_copy(
        update={
            "agents": agents,
            "grants": tuple(grant for grant in today.grants if grant.agent is None or grant.agent in agents),
            "schedules": {name: one for name, one in today.schedules.items() if one.agent in agents},
            "budgets": tuple(budget for budget in budgets if _has_owner(budget, today, agents)),
        }
    )


def _past_at(plan: Plan, habit: Habit, moment: dt.datetime) -> Past | None:
    found = [past for past in habit.past if moment_of(plan, past) <= moment]
    return found[-1] if found else None


def _agent_in(agent: Agent, past: Past) -> Agent:
    return agent.model_copy(
        update={"model": past.model, "instructions": past.instructions or agent.instructions}
    )


def _has_owner(budget: Budget, today: Registry, agents: dict[str, Agent]) -> bool:
    kind, _, owner = budget.wallet.partition(":")
    return owner in today.teams if kind == "team" else owner in agents
