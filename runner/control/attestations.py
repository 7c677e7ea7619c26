"""Attestations: whoever answers for an agent states in a cadence by risk that it is wanted and as described.

The days are oversight.attestation of registry.yaml. An agent counts from its last attestation, or from when a
worker first saw it at work. Before the day people are reminded; after the grace it has lapsed, and in the
risk classes that the rule names new runs are refused until somebody attests.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value
from runner.control import lifecycle, notices
from runner.control.admission import STARTABLE, AgentState, Stop
from runner.control.assurance_tables import attestations
from runner.control.declared import RiskClass
from runner.control.prepared import Prepared
from runner.control.registry import Agent, Registry
from runner.control.registry_extras import Attestation
from runner.control.store import Transaction

if TYPE_CHECKING:
    from runner.control.core import Core

Word: TypeAlias = Literal["not counted yet", "attested", "due soon", "overdue", "lapsed"]

_T = attestations.c
_COUNTED = Prepared(sa.select(_T.counted_from).where(_T.agent_id == sa.bindparam("of_agent")))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an agent stands with its attestation; times are None while it is not counted yet."""

    agent_id: str
    risk_class: RiskClass
    word: Word
    attested_by: str | None
    counted_from: dt.datetime | None
    due_at: dt.datetime | None
    lapses_at: dt.datetime | None


def due_at(rule: Attestation, risk_class: RiskClass, counted_from: dt.datetime) -> dt.datetime:
    """When the next attestation is due."""
    days = {"high": rule.high_days, "limited": rule.limited_days, "minimal": rule.minimal_days}
    return counted_from + dt.timedelta(days=days[risk_class])


def word_of(rule: Attestation, due: dt.datetime, now: dt.datetime) -> Word:
    """How an agent stands whose attestation is due at ``due``."""
    if now >= due + dt.timedelta(days=rule.grace_days):
        return "lapsed"
    if now >= due:
        return "overdue"
    return "due soon" if now >= due - dt.timedelta(days=rule.remind_days) else "attested"


def standings(connection: Connection, registry: Registry, now: dt.datetime) -> list[Standing]:
    """Every agent at work, those that are due first."""
    rows = {row.agent_id: row for row in connection.execute(sa.select(attestations))}
    found = []
    for agent_id, agent in _at_work(connection, registry):
        row = rows.get(agent_id)
        rule, risk_class = registry.oversight.attestation, agent.risk.risk_class
        due = due_at(rule, risk_class, row.counted_from) if row else None
        found.append(
            Standing(
                agent_id=agent_id,
                risk_class=risk_class,
                word=word_of(rule, due, now) if due else "not counted yet",
                attested_by=row.attested_by if row else None,
                counted_from=row.counted_from if row else None,
                due_at=due,
                lapses_at=due + dt.timedelta(days=rule.grace_days) if due else None,
            )
        )
    never = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(found, key=lambda one: (one.due_at or never, one.agent_id))


def put_attestation(tx: Transaction, agent_id: str, person_id: str) -> None:
    """Keep within ``tx`` that the agent was attested now: its time counts anew."""
    tx.sql.execute(sa.delete(attestations).where(_T.agent_id == agent_id))
    row = {"agent_id": agent_id, "counted_from": tx.now, "attested_by": person_id}
    tx.sql.execute(sa.insert(attestations), row)


def refusal(
    connection: Connection, registry: Registry, state: AgentState, risk_class: RiskClass, now: dt.datetime
) -> Stop | None:
    """The rule that keeps an agent from starting whose attestation has lapsed, or None."""
    rule = registry.oversight.attestation
    if risk_class not in rule.refuses_runs:
        return None
    row = _COUNTED.first(connection, {"of_agent": state.agent_id})
    if row is None:
        return None
    due = due_at(rule, risk_class, row.counted_from)
    if word_of(rule, due, now) != "lapsed":
        return None
    return Stop(
        rule="attestation:lapsed",
        reason=f"agent {state.agent_id} was to be attested by {due:%Y-%m-%d}, and its grace of "
        f"{rule.grace_days} days is over",
        advice=f"Its owner or deputy runs `fleetbook agents attest {state.agent_id} --as <person>`.",
    )


def follow(control: Core) -> int:
    """Count what is new at work, remind before the day, tell what lapsed, each once; returns how many."""
    now = control.store.clock()
    with control.store.read() as connection:
        registry = control.registry_in(connection)
        rows = {row.agent_id: row for row in connection.execute(sa.select(attestations))}
        at_work = _at_work(connection, registry)
    rule, told = registry.oversight.attestation, 0
    for agent_id, agent in at_work:
        row = rows.get(agent_id)
        if row is None:
            _count_from_now(control, agent_id)
            continue
        due = due_at(rule, agent.risk.risk_class, row.counted_from)
        word = word_of(rule, due, now)
        if word == "lapsed" and row.lapsed_at is None:
            told += _tell(control, registry, agent_id, agent, due, is_lapsed=True)
        elif word in ("due soon", "overdue") and row.reminded_at is None:
            told += _tell(control, registry, agent_id, agent, due, is_lapsed=False)
    return told


def _count_from_now(control: Core, agent_id: str) -> None:
    with control.store.write() as tx:
        if _COUNTED.first(tx.sql, {"of_agent": agent_id}) is None:  # another worker may have been first
            tx.sql.execute(sa.insert(attestations), {"agent_id": agent_id, "counted_from": tx.now})


def _tell(
    control: Core, registry: Registry, agent_id: str, agent: Agent, due: dt.datetime, *, is_lapsed: bool
) -> bool:
    column = _T.lapsed_at if is_lapsed else _T.reminded_at
    with control.store.write() as tx:
        changed = sa.update(attestations).where(_T.agent_id == agent_id, column.is_(None))
        if tx.sql.execute(changed.values({column.name: tx.now})).rowcount != 1:
            return False  # another worker was first, or it was attested
        told = [one for one in (agent.owner, agent.deputy) if one]
        team = registry.teams.get(agent.team)
        if is_lapsed and team is not None and team.manager:
            told.append(team.manager)
        about: dict[str, Value] = {"agent_id": agent_id, "team_id": agent.team}
        tx.emit(
            "attestation_lapsed" if is_lapsed else "attestation_reminded",
            about,
            due_at=due,
            risk_class=agent.risk.risk_class,
            told_ids=";".join(dict.fromkeys(told)) or None,
        )
        notices.put(
            tx,
            kind="attestation-lapsed" if is_lapsed else "attestation-due",
            team_id=agent.team,
            title=f"{agent_id} is to be attested by {due:%Y-%m-%d}",
            text=_sentence(registry, agent_id, agent, told, is_lapsed=is_lapsed),
            about=about,
        )
    return True


def _sentence(registry: Registry, agent_id: str, agent: Agent, told: list[str], *, is_lapsed: bool) -> str:
    names = ", ".join(registry.people[one].name for one in dict.fromkeys(told) if one in registry.people)
    how = f"`fleetbook agents attest {agent_id} --as <person>` states that it is wanted and as described."
    refused = is_lapsed and agent.risk.risk_class in registry.oversight.attestation.refuses_runs
    return f"{'Its new runs are refused. ' if refused else ''}For {names or 'whoever takes it over'}: {how}"


def _at_work(connection: Connection, registry: Registry) -> list[tuple[str, Agent]]:
    states = lifecycle.agent_states(connection)
    return [
        (agent_id, agent)
        for agent_id, agent in registry.agents.items()
        if agent_id in states and states[agent_id].status in STARTABLE
    ]
