"""Decisions of the quarterly review: what becomes of an agent, with the numbers it was decided on.

A retirement takes effect at once, or after a second person confirmed it where the agent is of high risk. The
snapshot of numbers is kept with the decision in the log, so that it can be read later as it was.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control import lifecycle, notices, refreshes, retiring
from runner.control.admission import AgentState
from runner.control.assurance_tables import review_decisions
from runner.control.owners import require_owner_or
from runner.control.registry import Registry
from runner.control.store import Transaction
from runner.errors import NotFound, ReviewRefused

if TYPE_CHECKING:
    from runner.control.core import Core

ReviewDecision: TypeAlias = Literal["keep", "refresh", "promote", "retire", "postpone"]
REVIEW_DECISIONS: tuple[ReviewDecision, ...] = get_args(ReviewDecision)
# What changes the fleet for everybody: with a high-risk agent a second person agrees.
_GRAVE = ("retire", "promote")

_D = review_decisions.c


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants to decide; ``snapshot`` is what the proposal was made from, as JSON data.

    ``evidence`` goes into the task that a refresh opens: what fails, and in which runs. ``effective_at`` is
    the sunset of a retirement, None for at once.
    """

    agent_id: str
    review_period: str
    decision: str
    person_id: str
    reason: str
    proposal: str | None = None
    rule: str | None = None
    snapshot: Mapping[str, object] | None = None
    evidence: Mapping[str, object] | None = None
    effective_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One decision of a review; ``status`` is waiting (for a second person) or done.

    ``effective_at`` and ``in_effect_at`` are of a retirement: when it is to count, and since when it does.
    """

    agent_id: str
    review_period: str
    review_decision: str
    status: str
    decided_by: str
    decided_at: dt.datetime
    reason: str
    snapshot: str
    confirmed_by: str | None = None
    confirmed_at: dt.datetime | None = None
    effective_at: dt.datetime | None = None
    in_effect_at: dt.datetime | None = None


_FIELDS = tuple(Decided.__dataclass_fields__)


def decide(control: Core, wish: Wish) -> Decided:
    """Decide for one agent; a retirement stops it when no second person has to agree.

    Owner, deputy and holders of apply_registry may. Raises ReviewRefused for no decision, no reason or a
    period that is decided already; AccessRefused, NotFound.
    """
    _check(wish)
    registry = control.registry()
    require_owner_or(control, registry, wish.person_id, "apply_registry", wish.agent_id)
    with control.store.write() as tx:
        state = lifecycle.find_agent(tx.sql, registry, wish.agent_id)
        _require_open(tx.sql, wish, state)
        needs_second = wish.decision in _GRAVE and _is_high_risk(registry, wish.agent_id)
        decided = Decided(
            agent_id=wish.agent_id,
            review_period=wish.review_period,
            review_decision=wish.decision,
            status="waiting" if needs_second else "done",
            decided_by=wish.person_id,
            decided_at=tx.now,
            reason=wish.reason.strip(),
            snapshot=json.dumps(wish.snapshot or {}, sort_keys=True, ensure_ascii=False),
            effective_at=_effective_at(wish, tx.now, needs_second=needs_second),
        )
        _put(tx, decided)
        _tell(tx, state, wish, decided, needs_second=needs_second)
        if wish.decision == "refresh":
            refreshes.put_task(
                tx, state, wish.review_period, wish.person_id, decided.reason, wish.evidence or {}
            )
        _announce(tx, registry, state, decided)
    if not needs_second:
        _take_effect(control, decided)
    control.relay.flush()
    return decided


def confirm(control: Core, agent_id: str, review_period: str, person_id: str, reason: str = "") -> Decided:
    """Confirm a decision that waits, as a second person; it takes effect.

    Raises NotFound when none waits, ReviewRefused for who decided it, AccessRefused.
    """
    registry = control.registry()
    require_owner_or(control, registry, person_id, "apply_registry", agent_id)
    with control.store.write() as tx:
        waiting = _waiting(tx.sql, agent_id, review_period)
        if waiting.decided_by == person_id:
            raise ReviewRefused(
                agent_id,
                f"{person_id} decided it, and a second person has to confirm",
                "Ask the owner, the deputy or another platform lead.",
            )
        values = {"status": "done", "confirmed_by": person_id, "confirmed_at": tx.now}
        if waiting.review_decision == "retire":
            # Where it waited for longer than until its sunset, it counts from now.
            values["effective_at"] = max(waiting.effective_at or tx.now, tx.now)
        tx.sql.execute(sa.update(review_decisions).where(_this(agent_id, review_period)).values(values))
        _tell_step(tx, "review_confirmed", waiting, person_id, reason.strip())
        done = find(tx.sql, agent_id, review_period)
        assert done is not None  # it was changed just now
        _announce(tx, registry, lifecycle.find_agent(tx.sql, registry, agent_id), done)
    _take_effect(control, done)
    control.relay.flush()
    return done


def withdraw(control: Core, agent_id: str, review_period: str, person_id: str, reason: str) -> None:
    """Take a decision back that waits for a second person, or for its sunset.

    Raises NotFound, ReviewRefused, AccessRefused.
    """
    registry = control.registry()
    require_owner_or(control, registry, person_id, "apply_registry", agent_id)
    if not reason.strip():
        raise ReviewRefused(agent_id, "a reason is missing", "Say why in one sentence.")
    with control.store.write() as tx:
        waiting = find(tx.sql, agent_id, review_period)
        if waiting is None or not _waits_for_its_sunset(waiting):
            waiting = _waiting(tx.sql, agent_id, review_period)
        tx.sql.execute(sa.delete(review_decisions).where(_this(agent_id, review_period)))
        _tell_step(tx, "review_withdrawn", waiting, person_id, reason.strip())
        if _waits_for_its_sunset(waiting):
            state = lifecycle.find_agent(tx.sql, registry, agent_id)
            retiring.call_off(tx, registry, state, reason.strip())
    control.relay.flush()


def require(connection: Connection, agent_id: str, review_period: str) -> Decided:
    """The decision on an agent in a period. Raises NotFound."""
    found = find(connection, agent_id, review_period)
    if found is None:
        advice = "`fleetbook review decisions` lists them."
        raise NotFound("decision", f"{agent_id} {review_period}", None, advice)
    return found


def decisions(connection: Connection, review_period: str | None = None) -> list[Decided]:
    """Decisions of a period, or of all, oldest first."""
    query = sa.select(review_decisions).order_by(_D.decided_at, _D.agent_id)
    if review_period is not None:
        query = query.where(_D.review_period == review_period)
    return [_decided(row) for row in connection.execute(query)]


def find(connection: Connection, agent_id: str, review_period: str) -> Decided | None:
    """The decision on an agent in a period, or None."""
    row = connection.execute(sa.select(review_decisions).where(_this(agent_id, review_period))).first()
    return None if row is None else _decided(row)


def _take_effect(control: Core, decided: Decided) -> None:
    if decided.effective_at is not None and decided.effective_at <= control.store.clock():
        person_id = decided.confirmed_by or decided.decided_by
        retiring.take_effect(control, decided.agent_id, decided.review_period, person_id, decided.reason)


def _effective_at(wish: Wish, now: dt.datetime, *, needs_second: bool) -> dt.datetime | None:
    """When a retirement counts; one that a second person has yet to confirm may leave it open."""
    if wish.decision != "retire":
        return None
    return wish.effective_at or (None if needs_second else now)


def _announce(tx: Transaction, registry: Registry, state: AgentState, decided: Decided) -> None:
    if _waits_for_its_sunset(decided) and decided.effective_at is not None and decided.effective_at > tx.now:
        retiring.announce(tx, registry, state, decided.effective_at, decided.reason)


def _waits_for_its_sunset(decided: Decided) -> bool:
    return (
        decided.review_decision == "retire"
        and decided.status == "done"
        and decided.in_effect_at is None
        and decided.effective_at is not None
    )


def _check(wish: Wish) -> None:
    if wish.decision not in REVIEW_DECISIONS:
        advice = f"Use one of {', '.join(REVIEW_DECISIONS)}."
        raise ReviewRefused(wish.agent_id, f"{wish.decision!r} is no decision of a review", advice)
    if not wish.reason.strip():
        raise ReviewRefused(
            wish.agent_id, "a reason is missing", "Say why in one sentence; the log keeps it."
        )
    if wish.effective_at is not None and wish.decision != "retire":
        raise ReviewRefused(
            wish.agent_id, f"{wish.decision} has no sunset", "Only a retirement can be set to a later day."
        )


def _require_open(connection: Connection, wish: Wish, state: AgentState) -> None:
    before = find(connection, wish.agent_id, wish.review_period)
    if before is not None and before.review_decision != "postpone":
        problem = f"{wish.review_period} is decided: {before.review_decision} by {before.decided_by}"
        raise ReviewRefused(
            wish.agent_id, problem, "A decision that waits can be withdrawn; a done one stays."
        )
    if state.status == "retired":
        raise ReviewRefused(
            wish.agent_id, "it is retired", f"`fleetbook review revive {wish.agent_id}` first."
        )


def _is_high_risk(registry: Registry, agent_id: str) -> bool:
    agent = registry.agents.get(agent_id)
    return agent is not None and agent.risk.risk_class == "high"


def _put(tx: Transaction, decided: Decided) -> None:
    tx.sql.execute(sa.delete(review_decisions).where(_this(decided.agent_id, decided.review_period)))
    tx.sql.execute(sa.insert(review_decisions), {name: getattr(decided, name) for name in _FIELDS})


def _tell(tx: Transaction, state: AgentState, wish: Wish, decided: Decided, *, needs_second: bool) -> None:
    tx.emit(
        "review_decided",
        agent_id=state.agent_id,
        agent_version=state.agent_version,
        team_id=state.team_id,
        actor_id=wish.person_id,
        person_id=wish.person_id,
        review_period=wish.review_period,
        review_decision=wish.decision,
        review_proposal=wish.proposal,
        rule_id=wish.rule,
        reason=decided.reason,
        is_confirmation_needed=needs_second,
        effective_at=decided.effective_at,
        text=decided.snapshot,
        kind="specification",
    )
    waits = " A second person has to confirm it." if needs_second else ""
    notices.put(
        tx,
        kind="review-decided",
        team_id=state.team_id,
        title=f"Review {wish.review_period}: {wish.decision} {state.agent_id}",
        text=f"{wish.person_id} decided: {decided.reason}.{waits}",
        about={"agent_id": state.agent_id, "actor_id": wish.person_id},
    )


def _tell_step(tx: Transaction, event_type: str, decided: Decided, person_id: str, reason: str) -> None:
    tx.emit(
        event_type,
        agent_id=decided.agent_id,
        actor_id=person_id,
        person_id=person_id,
        review_period=decided.review_period,
        review_decision=decided.review_decision,
        reason=reason or None,
    )


def _waiting(connection: Connection, agent_id: str, review_period: str) -> Decided:
    found = find(connection, agent_id, review_period)
    if found is None or found.status != "waiting":
        advice = "`fleetbook review decisions` lists them."
        raise NotFound("decision that waits", f"{agent_id} {review_period}", None, advice)
    return found


def _this(agent_id: str, review_period: str) -> sa.ColumnElement[bool]:
    return sa.and_(_D.agent_id == agent_id, _D.review_period == review_period)


def _decided(row: sa.Row[tuple[object, ...]]) -> Decided:
    return Decided(**{name: getattr(row, name) for name in _FIELDS})
