"""What a retirement touches and does: at once or at its sunset, and how a retired agent comes back.

New runs are refused with the review as the reason, open runs end, their requests lapse and their holds come
back. Nothing of the history changes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control import approvals, lifecycle, notices, refreshes, runs, stops
from runner.control.admission import AgentState
from runner.control.assurance_tables import review_decisions
from runner.control.registry import Registry
from runner.control.store import Transaction
from runner.control.tables import OPEN_RUN_STATUSES, holds
from runner.control.tables import runs as runs_table
from runner.errors import ReviewRefused

if TYPE_CHECKING:
    from runner.control.core import Core

USED_WITHIN = dt.timedelta(days=90)

_D = review_decisions.c
_DUE = sa.select(review_decisions).where(
    _D.review_decision == "retire",
    _D.status == "done",
    _D.in_effect_at.is_(None),
    _D.effective_at.is_not(None),
)


@dataclass(frozen=True, kw_only=True)
class Impact:
    """What a retirement touches. ``users`` are people who asked this store for runs within 90 days."""

    schedules: tuple[str, ...]
    callers: tuple[str, ...]
    knowledge: tuple[str, ...]
    grants: tuple[str, ...]
    wallets: tuple[str, ...]
    adopters: tuple[str, ...]
    aliases: tuple[str, ...]
    open_runs: tuple[str, ...]
    open_approvals: tuple[str, ...]
    open_refresh: str | None
    users: tuple[str, ...]
    held_nano_usd: int


def impact(control: Core, agent_id: str) -> Impact:
    """What a retirement of the agent would touch now. Raises NotFound."""
    registry = control.registry()
    with control.store.read() as connection:
        lifecycle.find_agent(connection, registry, agent_id)
        ids = _open_runs(connection, agent_id)
        waiting = [one.approval_id for one in approvals.waiting(connection) if one.agent_id == agent_id]
        task = refreshes.find_open(connection, agent_id)
        users = _users(connection, agent_id, control.store.clock() - USED_WITHIN)
        held = _held(connection, ids)
    agent = registry.agents.get(agent_id)
    wallets = (f"agent:{agent_id}", f"run:{agent_id}")
    return Impact(
        schedules=tuple(name for name, one in registry.schedules.items() if one.agent == agent_id),
        callers=tuple(name for name, one in registry.agents.items() if agent_id in one.delegates),
        knowledge=agent.knowledge if agent else (),
        grants=tuple(one.id for one in registry.grants if one.agent == agent_id),
        wallets=tuple(one.wallet_id for one in registry.budgets if one.wallet in wallets),
        adopters=_adopters(registry, agent_id),
        aliases=tuple(
            one.source_agent or one.source_domain or one.token or ""
            for one in registry.aliases
            if one.agent == agent_id
        ),
        open_runs=tuple(ids),
        open_approvals=tuple(waiting),
        open_refresh=task.review_period if task else None,
        users=tuple(users),
        held_nano_usd=held,
    )


def take_effect(control: Core, agent_id: str, review_period: str, person_id: str, reason: str) -> None:
    """Retire the agent now: refuse what is new, end what is open. Who decided it was asked before."""
    because = f"review {review_period}: {reason}"
    with control.store.write() as tx:
        state = lifecycle.find_agent(tx.sql, control.registry_in(tx.sql), agent_id)
        if state.status != "retired":
            lifecycle.put_status(tx, state, "retired", person_id, because)
        refreshes.drop(tx, state, person_id, because)
    with control.store.read() as connection:
        open_runs = _open_runs(connection, agent_id)
    for run_id in open_runs:
        stops.give_order(control, "run", run_id, person_id, because)
    with control.store.write() as tx:
        this = sa.and_(_D.agent_id == agent_id, _D.review_period == review_period)
        tx.sql.execute(sa.update(review_decisions).where(this).values(in_effect_at=tx.now))


def retire_due(control: Core) -> list[str]:
    """Retire each agent whose sunset has come, and finish what a crash left; returns their ids."""
    now = control.store.clock()
    with control.store.read() as connection:
        due = list(connection.execute(_DUE.where(_D.effective_at <= now)))
    for row in due:
        take_effect(control, row.agent_id, row.review_period, row.confirmed_by or row.decided_by, row.reason)
    return [row.agent_id for row in due]


def announce(
    tx: Transaction, registry: Registry, state: AgentState, effective_at: dt.datetime, reason: str
) -> None:
    """Tell owners and users, each team once, that the agent will be retired."""
    title = f"{state.agent_id} will be retired on {effective_at:%Y-%m-%d}"
    text = f"From {effective_at:%Y-%m-%d %H:%M} UTC on its runs are refused: {reason}."
    _notify(tx, registry, state, title, text)


def call_off(tx: Transaction, registry: Registry, state: AgentState, reason: str) -> None:
    """Tell those who were told of a sunset that there is none."""
    title = f"{state.agent_id} will not be retired"
    _notify(tx, registry, state, title, f"The decision was taken back: {reason}.")


def _notify(tx: Transaction, registry: Registry, state: AgentState, title: str, text: str) -> None:
    users = _users(tx.sql, state.agent_id, tx.now - USED_WITHIN)
    agent = registry.agents.get(state.agent_id)
    owners = [one for one in (agent.owner, agent.deputy) if one] if agent else []
    for team_id, told in _by_team(registry, [*owners, *users], state.team_id).items():
        names = ", ".join(registry.people[one].name for one in told) or "nobody by name"
        notices.put(
            tx,
            kind="agent-sunset",
            team_id=team_id,
            title=title,
            text=f"{text} For {names}.",
            about={"agent_id": state.agent_id},
        )


def revive(control: Core, agent_id: str, person_id: str, reason: str) -> str:
    """Bring a retired agent back, suspended; a further decision makes it live. Returns the event's id.

    Raises ReviewRefused when it is not retired, AccessRefused, NotFound.
    """
    with control.store.read() as connection:
        state = lifecycle.find_agent(connection, control.registry(), agent_id)
    if state.status != "retired":
        raise ReviewRefused(
            agent_id,
            f"it is {state.status}, not retired",
            f"`fleetbook agents status {agent_id}` changes that.",
        )
    return lifecycle.decide_status(
        control, agent_id, "suspended", person_id, f"revived: {reason}", is_revival=True
    )


def _open_runs(connection: Connection, agent_id: str) -> list[str]:
    found = runs.listed(connection, OPEN_RUN_STATUSES, limit=100_000)
    return [run.run_id for run in found if run.agent_id == agent_id]


def _users(connection: Connection, agent_id: str, since: dt.datetime) -> list[str]:
    column = runs_table.c.requested_by
    query = sa.select(column).where(
        runs_table.c.agent_id == agent_id,
        runs_table.c.status != "refused",
        runs_table.c.requested_at >= since,
    )
    return sorted(set(connection.execute(query).scalars()))


def _held(connection: Connection, run_ids: list[str]) -> int:
    """What the runs' open calls hold: agent and team wallet hold the same amount for one call."""
    held = sa.select(sa.func.coalesce(sa.func.max(holds.c.amount_nano_usd), 0)).where(
        holds.c.run_id.in_(run_ids)
    )
    per_call = held.group_by(holds.c.run_id, holds.c.turn_index, holds.c.attempt)
    return int(sum(connection.execute(per_call).scalars()))


def _adopters(registry: Registry, agent_id: str) -> tuple[str, ...]:
    """Agents made from a template that was made from this agent."""
    made = {
        name for name, one in registry.templates.items() if one.made_from and one.made_from.agent == agent_id
    }
    return tuple(
        name for name, one in registry.agents.items() if one.template is not None and one.template.id in made
    )


def _by_team(registry: Registry, people: Iterable[str], team_id: str) -> Mapping[str, list[str]]:
    """People who are declared, by team, each once; the agent's own team is always among them."""
    found: dict[str, list[str]] = {team_id: []}
    for person_id in dict.fromkeys(people):
        if person_id in registry.people:
            found.setdefault(registry.people[person_id].team, []).append(person_id)
    return found
