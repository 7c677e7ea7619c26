"""Asking for a temporary raise, and deciding it: four eyes, and the right to change budgets."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ingest.contract import new_event_id
from runner.control import notices, raises
from runner.control.access import Ruling, Target, may
from runner.control.declared import nearest
from runner.control.purses import Purse, nano, purse_of, usd_text
from runner.control.raises import Raise
from runner.control.registry import Budget, Registry
from runner.control.store import Transaction
from runner.control.tables import raises as raises_table
from runner.control.tables import wallets
from runner.control.wallet import open_window
from runner.errors import NotFound, RaiseRefused

if TYPE_CHECKING:
    from runner.control.core import Core


def budget_of(registry: Registry, name: str) -> Budget:
    """The declared budget called ``name``: its wallet id, or its wallet where that has one window only.

    Raises NotFound.
    """
    named = [budget for budget in registry.budgets if name in (budget.wallet_id, budget.wallet)]
    exact = [budget for budget in named if budget.wallet_id == name]
    if len(exact or named) != 1:
        known = [budget.wallet_id for budget in registry.budgets]
        advice = f"Wallets: {', '.join(known) or 'none is declared'}."
        raise NotFound("wallet", name, nearest(name, known), advice)
    return (exact or named)[0]


def request_raise(
    control: Core, wallet: str, by_usd: Decimal, until: dt.datetime, *, person_id: str, reason: str
) -> Raise:
    """Ask for ``by_usd`` more in ``wallet`` until ``until`` (UTC); it counts once somebody else approved it.

    Raises NotFound for an unknown person or wallet, RaiseRefused for one that cannot be raised like this.
    """
    with control.store.write() as tx:
        registry = control.registry_in(tx.sql)
        control.known_person(registry, person_id)
        budget = budget_of(registry, wallet)
        _check(budget, by_usd, until, reason, tx.now)
        one = Raise(
            raise_id=new_event_id(tx.now),
            wallet_id=budget.wallet_id,
            raise_nano_usd=nano(by_usd),
            expires_at=until,
            reason=reason.strip(),
            requested_by=person_id,
            requested_at=tx.now,
            status="waiting",
        )
        tx.sql.execute(sa.insert(raises_table), {**one.__dict__, "decided_at": None})
        _tell_requested(tx, registry, purse_of(registry, budget, tx.now), one)
    control.relay.flush()
    return one


def _check(budget: Budget, by_usd: Decimal, until: dt.datetime, reason: str, now: dt.datetime) -> None:
    wallet_id = budget.wallet_id
    if budget.unlimited:
        raise RaiseRefused(wallet_id, "unlimited", "it is unlimited already", "There is nothing to raise.")
    if budget.wallet.startswith("run:"):
        advice = "Raise cap_usd under budgets in registry.yaml and apply it."
        raise RaiseRefused(wallet_id, "per-run", "a wallet per run begins anew with each run", advice)
    if by_usd <= 0:
        raise RaiseRefused(wallet_id, "amount", f"{by_usd} USD is no raise", "Give --by above 0.")
    if until <= now:
        advice = "Give a time that is still to come."
        raise RaiseRefused(wallet_id, "time", f"{until:%Y-%m-%d %H:%M} UTC is over", advice)
    if not reason.strip():
        raise RaiseRefused(wallet_id, "reason-missing", "a raise needs a reason", "Give --reason.")


def _tell_requested(tx: Transaction, registry: Registry, purse: Purse, one: Raise) -> None:
    tx.emit(
        "budget_raise_requested",
        raises.told(one),
        actor_id=one.requested_by,
        person_id=one.requested_by,
        team_id=purse.team_id,
        wallet_kind=purse.wallet_kind,
        wallet_window=purse.wallet_window,
        expires_at=one.expires_at,
        reason=one.reason,
    )
    name = registry.people[one.requested_by].name
    title = f"{name} asks for {usd_text(one.raise_nano_usd)} more in wallet {one.wallet_id}"
    text = f"Reason: {one.reason}. Decide with `fleetbook wallets approve-raise {one.raise_id}`."
    about = {"wallet_id": one.wallet_id, "actor_id": one.requested_by}
    notices.put(tx, kind="raise-waiting", team_id=purse.team_id, title=title, text=text, about=about)


def decide_raise(
    control: Core, raise_id: str, *, person_id: str, is_approved: bool, reason: str = ""
) -> Raise:
    """Approve or reject a waiting raise; an approved one is in force at once.

    Raises NotFound, RaiseRefused (told in the log) when ``person_id`` may not, or there is nothing to decide.
    """
    with control.store.write() as tx:
        registry = control.registry_in(tx.sql)
        control.known_person(registry, person_id)
        one = raises.find(tx.sql, raise_id)
        if one is None:
            advice = "Those that wait are listed by `fleetbook wallets`."
            raise NotFound("raise", raise_id, None, advice)
        budget = budget_of(registry, one.wallet_id)
        purse = purse_of(registry, budget, tx.now)
        ruling = _ruling(registry, purse, one, person_id, is_approved, reason, tx.now)
        status = "approved" if is_approved else "rejected"
        if ruling.allowed and raises.decide(tx, raise_id, status, person_id):
            _carry_out(tx, purse, one, person_id, is_approved, reason)
    if not ruling.allowed:
        target = Target(agent_id=_agent_of(purse), team_id=purse.team_id)
        control.tell_refusal(registry, person_id, "change_budget", ruling, target)
        advice = f"`fleetbook may {person_id} change_budget` explains who may."
        raise RaiseRefused(one.wallet_id, ruling.rule_id, ruling.sentence, advice)
    control.relay.flush()
    with control.store.read() as connection:
        decided = raises.find(connection, raise_id)
    assert decided is not None  # raises are never deleted
    return decided


def _ruling(
    registry: Registry,
    purse: Purse,
    one: Raise,
    person_id: str,
    is_approved: bool,
    reason: str,
    now: dt.datetime,
) -> Ruling:
    target = Target(agent_id=_agent_of(purse), team_id=purse.team_id)
    allowed = may(registry, person_id, "change_budget", target)
    problems = (
        ("already-decided", one.status != "waiting", f"the raise is {one.status}"),
        ("expired", one.expires_at <= now, f"the raise would have ended {one.expires_at:%Y-%m-%d %H:%M} UTC"),
        ("other-than-requester", person_id == one.requested_by, f"{person_id} asked for it"),
        ("unlimited", purse.is_unlimited, f"wallet {one.wallet_id} is unlimited"),
        ("reason-missing", not is_approved and not reason.strip(), "a rejection needs a reason"),
    )
    if not allowed.allowed:
        return allowed
    found = next(((rule, text) for rule, is_so, text in problems if is_so), None)
    return Ruling(allowed=False, rule_id=found[0], sentence=found[1]) if found else allowed


def _agent_of(purse: Purse) -> str | None:
    return purse.owner_id if purse.wallet_kind == "agent" else None


def _carry_out(
    tx: Transaction, purse: Purse, one: Raise, person_id: str, is_approved: bool, reason: str
) -> None:
    about = {
        **raises.told(one),
        "actor_id": person_id,
        "person_id": person_id,
        "team_id": purse.team_id,
        "wallet_kind": purse.wallet_kind,
        "wallet_window": purse.wallet_window,
    }
    if not is_approved:
        tx.emit("budget_raise_rejected", about, reason=reason.strip())
        return
    this = sa.and_(wallets.c.wallet_id == one.wallet_id, wallets.c.window_start_at == purse.window_start)
    cap = sa.select(wallets.c.cap_nano_usd).where(this)
    if tx.sql.execute(cap).first() is None:
        open_window(tx, purse)  # with the raises in force, this one among them
    else:
        raises.lift(tx, one.wallet_id, one.raise_nano_usd)
    tx.emit(
        "budget_raised",
        about,
        cap_nano_usd=tx.sql.execute(cap).scalar_one(),
        expires_at=one.expires_at,
        reason=reason.strip() or one.reason,
    )
