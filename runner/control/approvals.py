"""Approvals: which calls need a person, who may decide, and the one use of a decision.

A request is bound to the digest of the validated arguments. It is decided once, expires as refused, and is
consumed by compare-and-set when the call is executed.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value
from runner.control.access import Ruling, Target, may
from runner.control.declared import RiskClass
from runner.control.purses import nano
from runner.control.registry import ApprovalRule, Registry
from runner.control.store import Subject, Transaction, envelope
from runner.control.tables import approval_views, approvals

Decision: TypeAlias = Literal["approved", "approved_changed", "rejected"]
PauseReason: TypeAlias = Literal["approval", "unknown_outcome", "delegate"]
DECISIONS: tuple[Decision, ...] = ("approved", "approved_changed", "rejected")
UNKNOWN_OUTCOME = "unknown-outcome"

_A = approvals.c
_ONE = sa.select(approvals).where(_A.approval_id == sa.bindparam("id"))
_OF_CALL = (
    sa.select(approvals)
    .where(_A.run_id == sa.bindparam("of_run"), _A.call_index == sa.bindparam("call"))
    .order_by(_A.requested_at.desc(), _A.approval_id.desc())
    .limit(1)
)
_WAITING = sa.select(approvals).where(_A.status == "waiting").order_by(_A.requested_at, _A.approval_id)
_CONSUME = (
    sa.update(approvals)
    .where(
        _A.approval_id == sa.bindparam("id"),
        _A.status.in_(("approved", "approved_changed")),
        _A.consumed_at.is_(None),
        _A.approved_digest == sa.bindparam("digest"),
    )
    .values(consumed_at=sa.bindparam("now"))
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request for a decision, as the store keeps it; ``arguments`` is canonical JSON."""

    approval_id: str
    run_id: str
    call_index: int
    pause_reason: str
    agent_id: str
    agent_version: int
    team_id: str
    tool_name: str
    arguments: str
    arguments_digest: str
    rule_id: str
    rule_text: str
    approver_role: str
    is_other_than_requester: bool
    money_at_stake_nano_usd: int | None
    requested_by: str
    requested_at: dt.datetime
    expires_at: dt.datetime
    status: str = "waiting"
    decided_by: str | None = None
    decided_at: dt.datetime | None = None
    reason: str | None = None
    changed_arguments: str | None = None
    approved_digest: str | None = None
    consumed_at: dt.datetime | None = None
    batch_id: str | None = None
    reminded_at: dt.datetime | None = None
    escalated_at: dt.datetime | None = None
    approvers_needed: int | None = None
    first_approved_by: str | None = None
    first_approved_at: dt.datetime | None = None

    @property
    def is_for_two(self) -> bool:
        """Whether two different people have to approve the call."""
        return (self.approvers_needed or 1) > 1

    @property
    def is_half_approved(self) -> bool:
        """Whether one of two people has approved it, and it waits for the second."""
        return self.is_for_two and self.status == "waiting" and self.first_approved_by is not None

    @property
    def parent_run_id(self) -> str | None:
        """For the envelope; requests of delegated runs are told under the run itself."""
        return None


# Pure rules


def needs_person(rule: ApprovalRule, arguments: dict[str, object]) -> bool:
    """Whether a call with these (JSON) ``arguments`` needs a decision; a value that cannot be tested does."""
    when = rule.when
    if when is None:
        return True
    given = arguments.get(when.argument)
    if when.one_of is not None:
        return given is None or str(given) in when.one_of
    amount = _number(given)
    if amount is None:
        return True
    return amount > when.over if when.over is not None else amount >= (when.at_least or Decimal(0))


def money_at_stake(rule: ApprovalRule, arguments: dict[str, object]) -> int | None:
    """Nano-USD that the call can move by the rule's money argument; None when it names none."""
    amount = _number(arguments.get(rule.money_argument)) if rule.money_argument else None
    return None if amount is None else nano(amount)


def rule_sentence(rule: ApprovalRule) -> str:
    """The rule in words for a person."""
    when = rule.when
    if when is None:
        what = "every call"
    elif when.over is not None:
        what = f"{when.argument} over {when.over}"
    elif when.at_least is not None:
        what = f"{when.argument} of {when.at_least} or more"
    else:
        what = f"{when.argument} is one of {', '.join(when.one_of or ())}"
    two = rule.approvers_needed > 1
    who = f"two people, each a {rule.approver_role}," if two else f"a {rule.approver_role}"
    return f"{what} needs {who}{' who did not start the run' if rule.other_than_requester else ''}".rstrip(
        ","
    )


def may_decide(
    registry: Registry, request: Request, person_id: str, *, author: str | None, risk_class: RiskClass
) -> Ruling:
    """Whether ``person_id`` may decide ``request`` of an agent in ``risk_class``; ``author`` wrote it."""
    target = Target(agent_id=request.agent_id, team_id=request.team_id, tool=request.tool_name)
    ruling = may(registry, person_id, "decide_approval", target)
    if not ruling.allowed:
        return ruling
    role_id = registry.people[person_id].role
    # Whoever reaches all teams stands in for every approver role, so that a request never has nobody.
    if role_id != request.approver_role and registry.roles[role_id].scope != "all":
        sentence = (
            f"rule {request.rule_id} asks for a {request.approver_role}, and {person_id} is a {role_id}"
        )
        return Ruling(allowed=False, rule_id="approver-role", sentence=sentence)
    if request.is_other_than_requester and person_id == request.requested_by:
        sentence = f"{person_id} started the run, and rule {request.rule_id} asks for somebody else"
        return Ruling(allowed=False, rule_id="requester-is-approver", sentence=sentence)
    if risk_class in registry.oversight.requester_never_decides and person_id == request.requested_by:
        sentence = f"{person_id} started the run, and the agent's risk class is {risk_class}"
        return Ruling(allowed=False, rule_id="requester-is-approver", sentence=sentence)
    if risk_class == "high" and author is not None and person_id == author:
        sentence = f"{person_id} wrote this version of a high-risk agent"
        return Ruling(allowed=False, rule_id="author-is-approver", sentence=sentence)
    if request.is_half_approved and person_id == request.first_approved_by:
        sentence = f"{person_id} has approved it, 1 of 2, and rule {request.rule_id} asks for two people"
        return Ruling(allowed=False, rule_id="second-person", sentence=sentence)
    return ruling


def _number(given: object) -> Decimal | None:
    if isinstance(given, bool) or given is None:
        return None
    try:
        number = Decimal(str(given))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


# State


def find(connection: Connection, approval_id: str) -> Request | None:
    """The request of that id, or None."""
    row = connection.execute(_ONE, {"id": approval_id}).first()
    return None if row is None else _request(row)


def of_call(connection: Connection, run_id: str, call_index: int) -> Request | None:
    """The latest request about one tool call, or None."""
    row = connection.execute(_OF_CALL, {"of_run": run_id, "call": call_index}).first()
    return None if row is None else _request(row)


def waiting(connection: Connection) -> list[Request]:
    """All requests that nobody has decided, oldest first."""
    return [_request(row) for row in connection.execute(_WAITING)]


def of_run(connection: Connection, run_id: str, *, status: str | None = None) -> list[Request]:
    """Requests of one run, oldest first, all or those in ``status``."""
    query = sa.select(approvals).where(_A.run_id == run_id)
    if status is not None:
        query = query.where(_A.status == status)
    return [_request(row) for row in connection.execute(query.order_by(_A.requested_at, _A.call_index))]


def latest_decided(connection: Connection, limit: int) -> list[Request]:
    """The latest requests that are decided or expired, newest first."""
    query = sa.select(approvals).where(_A.status != "waiting").order_by(_A.requested_at.desc()).limit(limit)
    return [_request(row) for row in connection.execute(query)]


def ask(tx: Transaction, run: Subject, request: Request) -> None:
    """Put a request into the queue and tell it."""
    tx.sql.execute(sa.insert(approvals), {name: getattr(request, name) for name in _FIELDS})
    tx.emit(
        "approval_requested",
        envelope(run),
        text=request.arguments,
        kind="arguments",
        approval_id=request.approval_id,
        call_index=request.call_index,
        tool_name=request.tool_name,
        arguments_digest=request.arguments_digest,
        approval_rule=request.rule_id,
        approver_role=request.approver_role,
        expires_at=request.expires_at,
        money_at_stake_nano_usd=request.money_at_stake_nano_usd,
    )


def show(tx: Transaction, request: Request, person_id: str) -> bool:
    """Record that a person saw the request; False when that is known already."""
    views = approval_views.c
    seen = sa.select(views.person_id).where(
        views.approval_id == request.approval_id, views.person_id == person_id
    )
    if tx.sql.execute(seen).first() is not None:
        return False
    row = {"approval_id": request.approval_id, "person_id": person_id, "shown_at": tx.now}
    tx.sql.execute(sa.insert(approval_views), row)
    about = {**_about(request), "actor_id": person_id}
    tx.emit("approval_shown", about, person_id=person_id, arguments_digest=request.arguments_digest)
    return True


def decide(
    tx: Transaction,
    request: Request,
    person_id: str,
    decision: Decision,
    reason: str,
    *,
    changed: str | None,
    approved_digest: str,
    batch_id: str | None = None,
) -> str | None:
    """Decide a waiting request; returns the event's id, or None when somebody else was first.

    The first approval of two leaves it waiting.
    """
    is_first = request.is_for_two and decision != "rejected" and request.first_approved_by is None
    first = {"first_approved_by": person_id, "first_approved_at": tx.now}
    last = {
        "status": decision,
        "decided_by": person_id,
        "decided_at": tx.now,
        "reason": reason or None,
        "changed_arguments": changed,
        "approved_digest": approved_digest,
        "batch_id": batch_id,
    }
    this = sa.and_(_A.approval_id == request.approval_id, _A.status == "waiting")
    if is_first:
        this = sa.and_(this, _A.first_approved_by.is_(None))
    if tx.sql.execute(sa.update(approvals).where(this), first if is_first else last).rowcount != 1:
        return None
    return tx.emit(
        "approval_decided",
        {**_about(request), "actor_id": person_id},
        text=changed,
        kind="arguments",
        person_id=person_id,
        decision=decision,
        approved_digest=approved_digest,
        reason=reason or None,
        arguments_digest=request.arguments_digest,
        tool_name=request.tool_name,
        batch_id=batch_id,
        is_confirmation_needed=True if is_first else None,
    )


def expire(tx: Transaction, request: Request, *, reason: str | None = None) -> None:
    """Nobody decided in time, or what asked was stopped for ``reason``: the request counts as refused."""
    this = sa.and_(_A.approval_id == request.approval_id, _A.status == "waiting")
    if tx.sql.execute(sa.update(approvals).where(this).values(status="expired")).rowcount == 1:
        tx.emit("approval_expired", _about(request), tool_name=request.tool_name, reason=reason)


def consume(tx: Transaction, run: Subject, request: Request, digest: str) -> bool:
    """Use the decision for the call with this ``digest``: once, and only for what was approved."""
    values = {"id": request.approval_id, "digest": digest, "now": tx.now}
    if tx.sql.execute(_CONSUME, values).rowcount != 1:
        return False
    tx.emit(
        "approval_consumed",
        envelope(run),
        approval_id=request.approval_id,
        arguments_digest=digest,
        call_index=request.call_index,
        tool_name=request.tool_name,
    )
    return True


def plain(arguments: str | None) -> dict[str, object] | None:
    """The arguments of a request as data."""
    return None if arguments is None else dict(json.loads(arguments))


_FIELDS = tuple(Request.__dataclass_fields__)


def _request(row: sa.Row[tuple[object, ...]]) -> Request:
    return Request(**{name: getattr(row, name) for name in _FIELDS})


def _about(request: Request) -> dict[str, Value]:
    return {**envelope(request), "approval_id": request.approval_id}
