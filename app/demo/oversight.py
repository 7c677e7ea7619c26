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
from ingest.contract import derived_event_id
from runner.control.registry import ApprovalRule

Verdict: TypeAlias = Literal["approved", "approved_changed", "rejected", "expired"]

OPENS, CLOSES = 8, 18  # when reviewers look at their queue, in the company's hours
FORGOTTEN = 0.025  # share of requests that nobody opens in time
NANO = 10**9


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One call that needs a person: the rule, the call, and who is to decide."""

    rule: ApprovalRule
    call_index: int
    tool_name: str
    arguments: Arguments
    reviewer: str


def needs_a_person(rule: ApprovalRule | None, arguments: Arguments) -> bool:
    """True when ``rule`` asks for a decision on a call with these arguments."""
    if rule is None:
        return False
    if rule.when is None or rule.when.over is None:
        return True
    given = arguments.get(rule.when.argument)
    return not isinstance(given, int | float) or given > float(rule.when.over)


def decide(record: Record, gate: Gate, plan: Plan, dice: random.Random) -> tuple[Verdict, str]:
    """Record request, pause, look, decision and resumption; returns the verdict and the approval id."""
    approval_id = derived_event_id(record.now, "demo-approval", record.envelope.run_id, str(gate.call_index))
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
        money_at_stake_nano_usd=_stake(gate),
    )
    record.tell("run_paused", pause_reason="approval")
    hasty = is_hasty(gate.reviewer, dice)
    shown_at = _seen_at(record.now, plan, dice)
    if shown_at >= expires_at or dice.random() < FORGOTTEN:
        record.now = expires_at
        record.tell("approval_expired", approval_id=approval_id, tool_name=gate.tool_name)
        return "expired", approval_id
    seconds = dice.uniform(0.6, 1.9) if hasty else 4 + 40 * dice.lognormvariate(0.0, 0.9)
    verdict = _verdict(gate, hasty, dice)
    record.now = shown_at
    record.tell("approval_shown", approval_id=approval_id, person_id=gate.reviewer, arguments_digest=asked)
    record.wait(seconds * 1000)
    _tell_decision(record, gate, approval_id, asked, verdict, dice)
    record.wait(900 + 2500 * dice.random())
    record.tell("run_resumed", reason="a person decided")
    return verdict, approval_id


def _tell_decision(
    record: Record, gate: Gate, approval_id: str, asked: str, verdict: Verdict, dice: random.Random
) -> None:
    approved, text = asked, ""
    if verdict == "approved_changed":
        text = words.as_json(_lowered(gate))
        approved = words.digest(text)
    record.tell(
        "approval_decided",
        text=text,
        kind="arguments",
        approval_id=approval_id,
        person_id=gate.reviewer,
        decision=verdict,
        approved_digest=approved,
        arguments_digest=asked,
        tool_name=gate.tool_name,
        reason=dice.choice(words.REJECTIONS) if verdict == "rejected" else None,
    )


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


def _stake(gate: Gate) -> int | None:
    given = gate.arguments.get(gate.rule.money_argument or "")
    return round(float(given) * 100) * (NANO // 100) if given is not None else None


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
