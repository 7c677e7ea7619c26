"""Decisions in the demo history: who saw a request when, how long reading took, and what was decided."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.demo import words
from app.demo.cast import is_hasty
from app.demo.record import Record
from app.demo.story import Plan
from app.demo.words import Arguments
from runner.control.approvals import money_at_stake
from runner.control.registry import ApprovalRule

Verdict: TypeAlias = Literal["approved", "approved_changed", "rejected", "expired"]

OPENS, CLOSES = 8, 18  # when reviewers look at their queue, in the company's hours
FORGOTTEN = 0.025  # share of requests that nobody opens in time


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One call that needs a person: the rule, the call, and who is to decide."""

    rule: ApprovalRule
    call_index: int
    tool_name: str
    arguments: Arguments
    reviewer: str


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """What came of a request: the verdict, the reason given, and the digest that may be executed."""

    verdict: Verdict
    approval_id: str
    reason: str | None
    approved_digest: str


def decide(record: Record, gate: Gate, plan: Plan, dice: random.Random) -> Ruled:
    """Record request, pause, look, decision and resumption; returns what came of it."""
    approval_id = f"ap-{words.digest(f'{record.envelope.run_id}/{gate.call_index}')[:10]}"
    asked = words.digest(words.as_json(gate.arguments))
    expires_at = record.now + dt.timedelta(minutes=gate.rule.expires_minutes)
    record.tell(
        "approval_requested",
        approval_id=approval_id,
        call_index=gate.call_index,
        tool_name=gate.tool_name,
        arguments_digest=asked,
        approval_rule=gate.rule.id,
        approver_role=gate.rule.approver_role,
        expires_at=expires_at,
        money_at_stake_nano_usd=money_at_stake(gate.rule, dict(gate.arguments)),
    )
    record.tell("run_paused", pause_reason="approval")
    hasty = is_hasty(gate.reviewer, dice)
    shown_at = _seen_at(record.now, plan, dice)
    if shown_at >= expires_at or dice.random() < FORGOTTEN:
        record.now = expires_at
        record.tell("approval_expired", approval_id=approval_id, tool_name=gate.tool_name)
        return Ruled(
            verdict="expired",
            approval_id=approval_id,
            reason="nobody decided in time",
            approved_digest=asked,
        )
    verdict = _verdict(gate, hasty, dice)
    record.now = shown_at
    record.tell("approval_shown", approval_id=approval_id, person_id=gate.reviewer, arguments_digest=asked)
    record.wait(1000 * (dice.uniform(0.6, 1.9) if hasty else 4 + 40 * dice.lognormvariate(0.0, 0.9)))
    ruled = _tell_decision(record, gate, approval_id, asked, verdict, dice)
    record.wait(900 + 2500 * dice.random())
    record.tell("run_resumed", reason="a person decided")
    return ruled


def _tell_decision(
    record: Record, gate: Gate, approval_id: str, asked: str, verdict: Verdict, dice: random.Random
) -> Ruled:
    text = words.as_json(_lowered(gate)) if verdict == "approved_changed" else ""
    ruled = Ruled(
        verdict=verdict,
        approval_id=approval_id,
        reason=dice.choice(words.REJECTIONS) if verdict == "rejected" else None,
        approved_digest=words.digest(text) if text else asked,
    )
    record.tell(
        "approval_decided",
        text=text,
        kind="arguments",
        approval_id=approval_id,
        person_id=gate.reviewer,
        decision=verdict,
        approved_digest=ruled.approved_digest,
        arguments_digest=asked,
        tool_name=gate.tool_name,
        reason=ruled.reason,
    )
    return ruled


def _verdict(gate: Gate, hasty: bool, dice: random.Random) -> Verdict:
    if hasty:
        return "approved"
    roll = dice.random()
    if roll < 0.075:
        return "rejected"
    if roll < 0.13 and gate.rule.money_argument:
        return "approved_changed"
    return "approved"


def _lowered(gate: Gate) -> Arguments:
    """The arguments as a careful reviewer changes them: a tenth less money."""
    name = gate.rule.money_argument or ""
    given = gate.arguments[name]
    return {**gate.arguments, name: round(float(given) * 0.9, 2)}


def _seen_at(asked_at: dt.datetime, plan: Plan, dice: random.Random) -> dt.datetime:
    """Minutes later during office hours; else some time into the next working morning."""
    local = asked_at.astimezone(plan.zone)
    delay = dt.timedelta(minutes=1 + 8 * dice.lognormvariate(0.0, 1.0))
    if local.weekday() < 5 and OPENS <= local.hour < CLOSES:
        return asked_at + delay
    day = local.date() if local.hour < OPENS else local.date() + dt.timedelta(days=1)
    while day.weekday() >= 5:
        day += dt.timedelta(days=1)
    return plan.at(day, OPENS) + delay
