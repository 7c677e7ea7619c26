"""The rows that the desk hands to pages: frozen, money as Decimal USD, times as aware UTC datetimes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from runner.control import approvals
from runner.control.access import Ruling
from runner.control.approvals import Request
from runner.control.purses import Purse, usd
from runner.control.registry import Registry
from runner.control.runs import Run
from runner.control.versions import Frozen


@dataclass(frozen=True, kw_only=True)
class Person:
    """A declared person with role, team and the role's scope (own, team, all)."""

    person_id: str
    name: str
    role_id: str
    team_id: str
    scope: str


@dataclass(frozen=True, kw_only=True)
class Company:
    """The company and the IANA time zone in which pages show times."""

    name: str
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Money held for one model call in flight: its run, USD, and age in seconds."""

    run_id: str
    amount_usd: Decimal
    age_s: float


@dataclass(frozen=True, kw_only=True)
class Wallet:
    """One window of one wallet, the enforced numbers; ``free_usd`` = cap − spent − held, None: unlimited."""

    wallet_id: str
    wallet_kind: str
    owner_id: str
    team_id: str
    window: str
    window_start: dt.datetime
    window_end: dt.datetime
    cap_usd: Decimal | None
    is_unlimited: bool
    reason: str
    spent_usd: Decimal
    held_usd: Decimal
    unknown_usd: Decimal
    free_usd: Decimal | None
    holds: tuple[Hold, ...]


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One request for a person's decision; ``arguments`` is what the tool would get, as data.

    Where it ``is_for_two``, two different people have to approve it.
    """

    approval_id: str
    run_id: str
    agent_id: str
    agent_name: str
    team_id: str
    risk_class: str
    tool_name: str
    arguments: Mapping[str, object]
    rule_id: str
    rule_text: str
    approver_role: str
    requested_by: str
    requested_at: dt.datetime
    expires_at: dt.datetime
    money_at_stake_usd: Decimal | None
    status: str
    decided_by: str | None
    decided_at: dt.datetime | None
    decision: str | None
    reason: str
    changed_arguments: Mapping[str, object] | None
    can_decide: bool
    cannot_reason: str
    is_for_two: bool
    first_approved_by: str | None


@dataclass(frozen=True, kw_only=True)
class LiveRun:
    """A run that has not ended: its state now, and the money it has spent and holds."""

    run_id: str
    agent_id: str
    agent_name: str
    team_id: str
    status: str
    pause_reason: str | None
    requested_by: str
    requested_at: dt.datetime
    turn_count: int
    tool_call_count: int
    spent_usd: Decimal
    held_usd: Decimal


def wallet_row(purse: Purse, row: sa.Row[tuple[object, ...]] | None, open_holds: tuple[Hold, ...]) -> Wallet:
    """The row of one wallet window; ``row`` is None before its first use."""
    spent, held, swept = (
        (row.spent_nano_usd, row.held_nano_usd, row.swept_nano_usd) if row is not None else (0, 0, 0)
    )
    # The row's cap is what the gate enforces: raises for a time are in it.
    cap = purse.cap_nano_usd if row is None or purse.cap_nano_usd is None else row.cap_nano_usd
    return Wallet(
        wallet_id=purse.wallet_id,
        wallet_kind=purse.wallet_kind,
        owner_id=purse.owner_id,
        team_id=purse.team_id,
        window=purse.wallet_window,
        window_start=purse.window_start,
        window_end=purse.window_end,
        cap_usd=None if cap is None else usd(cap),
        is_unlimited=purse.is_unlimited,
        reason=purse.reason,
        spent_usd=usd(spent),
        held_usd=usd(held),
        unknown_usd=usd(swept),
        free_usd=None if cap is None else usd(cap - spent - held),
        holds=open_holds,
    )


def live_run_row(registry: Registry, run: Run, held_nano_usd: int) -> LiveRun:
    """The row of one run that has not ended."""
    agent = registry.agents.get(run.agent_id)
    return LiveRun(
        run_id=run.run_id,
        agent_id=run.agent_id,
        agent_name=agent.name if agent else run.agent_id,
        team_id=run.team_id,
        status=run.status,
        pause_reason=run.pause_reason,
        requested_by=run.requested_by,
        requested_at=run.requested_at,
        turn_count=run.turn_count,
        tool_call_count=run.tool_call_count,
        spent_usd=usd(run.spent_nano_usd),
        held_usd=usd(held_nano_usd),
    )


def approval_row(request: Request, frozen: Frozen, ruling: Ruling, *, is_readable: bool) -> Approval:
    """The row of one request; ``ruling`` says whether the person may decide it."""
    stake = request.money_at_stake_nano_usd
    changed = approvals.plain(request.changed_arguments)
    decided = request.status if request.status in approvals.DECISIONS else None
    return Approval(
        approval_id=request.approval_id,
        run_id=request.run_id,
        agent_id=request.agent_id,
        agent_name=frozen.name,
        team_id=request.team_id,
        risk_class=frozen.risk.risk_class,
        tool_name=request.tool_name,
        arguments=(approvals.plain(request.arguments) or {}) if is_readable else {},
        rule_id=request.rule_id,
        rule_text=request.rule_text,
        approver_role=request.approver_role,
        requested_by=request.requested_by,
        requested_at=request.requested_at,
        expires_at=request.expires_at,
        money_at_stake_usd=None if stake is None else usd(stake),
        status=request.status,
        decided_by=request.decided_by,
        decided_at=request.decided_at,
        decision=decided,
        reason=request.reason or "",
        changed_arguments=changed if is_readable else None,
        can_decide=ruling.allowed,
        cannot_reason="" if ruling.allowed else ruling.sentence,
        is_for_two=request.is_for_two,
        first_approved_by=request.first_approved_by,
    )
