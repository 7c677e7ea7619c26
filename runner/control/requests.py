"""Requests for runs: every rule is asked, the answer and the request are told in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.engine import Connection

from ingest.contract import new_event_id
from runner.control import attestations, runs, stops, trials
from runner.control.admission import AgentState, Stop, refusal
from runner.control.ancestry import Above, ancestors
from runner.control.lifecycle import find_agent
from runner.control.prices import ModelPrice
from runner.control.purses import LEAST_OUTPUT_TOKENS, Purse, Short, purses_of, shortage
from runner.control.registry import Registry
from runner.control.store import Transaction, envelope
from runner.control.versions import Frozen
from runner.control.wallet import level_in, tell_refused
from runner.errors import PriceUnknown, RunRefused

if TYPE_CHECKING:
    from runner.control.core import Core, Version


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A run that somebody or something wants: for whom, by what, and for a delegated one its parent."""

    agent_id: str
    task: str
    person_id: str
    trigger_kind: str = "person"
    parent_run_id: str | None = None


class Answer(NamedTuple):
    """The run of a wish, queued, or refused by ``stop``."""

    run: runs.Run
    stop: Stop | None


def request_run(
    control: Core, agent_id: str, task: str, person_id: str, *, trigger_kind: str = "person"
) -> str:
    """See :meth:`runner.control.plane.Control.request_run`; ``trigger_kind`` is person or api."""
    wish = Wish(agent_id=agent_id, task=task, person_id=person_id, trigger_kind=trigger_kind)
    return _ask(control, wish)


def admit(control: Core, tx: Transaction, wish: Wish) -> Answer:
    """Ask every rule, and put the run and the answer into the store and the outbox of ``tx``.

    Raises NotFound for an agent that was never declared, ModelUnusable.
    """
    registry = control.registry_in(tx.sql)
    state = find_agent(tx.sql, registry, wish.agent_id)
    run_id, above = new_event_id(tx.now), ancestors(tx.sql, wish.parent_run_id)
    arm = trials.arm_of(tx.sql, state, above[-1].run_id if above else run_id)
    version = control.version(tx.sql, wish.agent_id, arm.agent_version)
    run = _new_run(tx, registry, state, version, wish, run_id)
    stop = _by_stop(tx.sql, wish) or _by_person(registry, wish)
    stop = stop or refusal(registry, state, version.frozen, wish.person_id, tx.now)
    risk_class = version.frozen.risk.risk_class
    stop = stop or attestations.refusal(tx.sql, registry, state, risk_class, tx.now)
    if stop is None:
        stop = _by_wallets(tx, registry, run, above, version.frozen, control.price(registry, version.frozen))
    if stop:
        run = replace(run, status="refused")
    runs.insert(tx, run, version.version_hash, arm)
    if stop:
        _tell(tx, run, stop)
    return Answer(run, stop)


def run_id_of(control: Core, answer: Answer) -> str:
    """The id of an admitted run. Raises RunRefused, told in the log, for a refused one."""
    run, stop = answer
    if stop:
        control.relay.flush()
        raise RunRefused(run.run_id, stop.rule, stop.reason, stop.advice)
    return run.run_id


def _ask(control: Core, wish: Wish) -> str:
    with control.store.write() as tx:
        control.known_person(control.registry_in(tx.sql), wish.person_id)
        answer = admit(control, tx, wish)
    return run_id_of(control, answer)


def _new_run(
    tx: Transaction, registry: Registry, state: AgentState, version: Version, wish: Wish, run_id: str
) -> runs.Run:
    person = registry.people.get(wish.person_id)
    return runs.Run(
        run_id=run_id,
        parent_run_id=wish.parent_run_id,
        agent_id=state.agent_id,
        agent_version=version.agent_version,
        team_id=state.team_id,
        status="queued",
        trigger_kind=wish.trigger_kind,
        requested_by=wish.person_id,
        role_id=person.role if person else "",
        task=wish.task,
        requested_at=tx.now,
    )


def _by_stop(connection: Connection, wish: Wish) -> Stop | None:
    """An order to stop the agent, the company, or the run that delegates."""
    order = stops.standing_over(connection, wish.agent_id)
    if order is not None:
        target = "--all" if order.stop_scope == "company" else wish.agent_id
        return Stop(
            rule="stopped",
            reason=order.sentence,
            advice=f"`fleetbook start {target}` lifts the order; owner, deputy and holders of stop_run may.",
        )
    if wish.parent_run_id is not None and runs.is_marked(connection, wish.parent_run_id):
        return Stop(
            rule="stopped",
            reason=f"run {wish.parent_run_id}, which delegates, was stopped",
            advice="Nothing is to be done: what a stopped run wanted is not begun.",
        )
    return None


def _by_person(registry: Registry, wish: Wish) -> Stop | None:
    """A person who is no longer declared; a schedule may name one."""
    if wish.person_id in registry.people:
        return None
    return Stop(
        rule="unknown-person",
        reason=f"{wish.person_id!r} is not among the people of the registry",
        advice="Let the run be asked for by somebody who is declared under people in registry.yaml.",
    )


def _tell(tx: Transaction, run: runs.Run, stop: Stop) -> None:
    tx.emit(
        "run_refused",
        envelope(run),
        refusal_rule=stop.rule,
        reason=stop.reason,
        trigger_kind=run.trigger_kind,
        role_id=run.role_id,
        wallet_id=stop.wallet_id,
    )


def _by_wallets(
    tx: Transaction,
    registry: Registry,
    run: runs.Run,
    above: Sequence[Above],
    frozen: Frozen,
    price: ModelPrice | None,
) -> Stop | None:
    """A wallet that has no room even for the shortest first call, or a model that cannot be priced."""
    purses = purses_of(registry, run.agent_id, frozen.team, run.run_id, tx.now, above)
    if not purses:
        return Stop(
            rule="no-wallet",
            reason=f"neither team {frozen.team} nor agent {run.agent_id} has a wallet",
            advice="Declare one under budgets in registry.yaml: with a cap, or unlimited with a reason.",
        )
    for purse in purses:
        if purse.is_unlimited:
            continue
        if price is None:
            unknown = PriceUnknown(frozen.requested_model, purse.wallet_id)
            return Stop(
                rule=unknown.rule,
                reason=f"model {frozen.model} has no price and wallet {purse.wallet_id} has a cap",
                advice="Add a line for the model under prices in registry.yaml and apply it.",
                wallet_id=purse.wallet_id,
            )
        short = _standing(tx.sql, purse)
        # A token is at least one byte, so this is the least that the first call can be held for.
        need = price.worst_nano_usd(
            len(run.task.encode()), min(frozen.max_output_tokens, LEAST_OUTPUT_TOKENS)
        )
        if need > short.left_nano_usd:
            reason, advice = shortage(short, need, registry.company.time_zone)
            tell_refused(tx, purse, need)
            return Stop(
                rule=f"wallet:{purse.wallet_id}", reason=reason, advice=advice, wallet_id=purse.wallet_id
            )
    return None


def _standing(connection: Connection, purse: Purse) -> Short:
    row = level_in(connection, purse)
    return Short(
        purse=purse,
        cap_nano_usd=row.cap_nano_usd or 0 if row else purse.cap_nano_usd or 0,
        spent_nano_usd=row.spent_nano_usd if row else 0,
        held_nano_usd=row.held_nano_usd if row else 0,
    )
