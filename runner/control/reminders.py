"""Reminders: a request that waits is brought to mind once, and near its end to more people, once.

The shares of the waiting time are oversight.remind_at_percent and escalate_at_percent of registry.yaml.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal, TypeAlias

import sqlalchemy as sa

from ingest.contract import Value
from runner.control import approvals, notices
from runner.control.approvals import Request
from runner.control.decisions import deciders
from runner.control.purses import usd_text
from runner.control.registry import Registry
from runner.control.store import Transaction, envelope
from runner.control.tables import approvals as approvals_table

if TYPE_CHECKING:
    from runner.control.core import Core

Step: TypeAlias = Literal["remind", "escalate"]

_A = approvals_table.c
_WAITING = sa.select(_A.approval_id, _A.requested_at, _A.expires_at, _A.reminded_at, _A.escalated_at).where(
    _A.status == "waiting"
)
_THIS = sa.update(approvals_table).where(
    _A.approval_id == sa.bindparam("of"), _A.status == "waiting", _A.escalated_at.is_(None)
)


def remind(control: Core) -> int:
    """Tell those who may decide what waits; returns how many reminders and escalations were told."""
    now = control.store.clock()
    with control.store.read() as connection:
        registry = control.registry_in(connection)
        due = {row.approval_id: _step(registry, row, now) for row in connection.execute(_WAITING)}
    count = 0
    for approval_id, step in due.items():
        if step is not None:
            with control.store.write() as tx:
                count += _tell(control, tx, approval_id, step)
    return count


def _step(registry: Registry, row: sa.Row[tuple[object, ...]], now: dt.datetime) -> Step | None:
    """What is due for a request; one that is past both shares escalates only."""
    waiting, whole = now - row.requested_at, row.expires_at - row.requested_at
    oversight = registry.oversight
    if row.escalated_at is None and waiting * 100 >= whole * oversight.escalate_at_percent:
        return "escalate"
    is_new = row.reminded_at is None and row.escalated_at is None
    return "remind" if is_new and waiting * 100 >= whole * oversight.remind_at_percent else None


def _tell(control: Core, tx: Transaction, approval_id: str, step: Step) -> bool:
    if step == "escalate":
        changed = _THIS.values(escalated_at=tx.now)
    else:
        changed = _THIS.where(_A.reminded_at.is_(None)).values(reminded_at=tx.now)
    if tx.sql.execute(changed, {"of": approval_id}).rowcount != 1:
        return False  # another worker was first, or a person
    request = approvals.find(tx.sql, approval_id)
    assert request is not None  # its row was just changed
    registry = control.registry_in(tx.sql)
    frozen = control.version(tx.sql, request.agent_id, request.agent_version).frozen
    able = deciders(registry, request, frozen, tx.now)
    told = _wider(registry, request, able) if step == "escalate" else _nearest(registry, request, able)
    about: dict[str, Value] = {**envelope(request), "approval_id": approval_id}
    tx.emit(
        "approval_escalated" if step == "escalate" else "approval_reminded",
        about,
        tool_name=request.tool_name,
        told_ids=";".join(told),
        expires_at=request.expires_at,
    )
    is_last_call = step == "escalate"
    notices.put(
        tx,
        kind="approval-escalated" if is_last_call else "approval-reminder",
        # Near the end the whole company's places hear of it, not only the team's.
        team_id=None if is_last_call else request.team_id,
        title=f"{request.agent_id} waits for a decision on {request.tool_name}",
        text=_sentence(registry, request, told),
        about=about,
    )
    return True


def _nearest(registry: Registry, request: Request, able: list[str]) -> list[str]:
    """Those who may decide and hold the role that the rule names; without any, everybody who may."""
    return [one for one in able if registry.people[one].role == request.approver_role] or able


def _wider(registry: Registry, request: Request, able: list[str]) -> list[str]:
    """Everybody who may decide, and who answers for the agent and the team."""
    agent, team = registry.agents.get(request.agent_id), registry.teams.get(request.team_id)
    more = [agent.owner, agent.deputy] if agent else []
    named = [*able, *more, team.manager if team else None]
    return list(dict.fromkeys(one for one in named if one is not None))


def _sentence(registry: Registry, request: Request, told: list[str]) -> str:
    names = ", ".join(registry.people[one].name for one in told if one in registry.people)
    money = request.money_at_stake_nano_usd
    stake = f" {usd_text(money)} at stake." if money is not None else ""
    return (
        f"Waits since {request.requested_at:%Y-%m-%d %H:%M} UTC and counts as refused from "
        f"{request.expires_at:%Y-%m-%d %H:%M} UTC on.{stake} {names or 'Nobody'} may decide: "
        f"`fleetbook approve {request.approval_id} --as <person>`."
    )
