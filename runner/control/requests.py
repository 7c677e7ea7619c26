"""Requests for runs: every rule is asked, the answer and the request are told in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import new_event_id
from runner.agent.models import check_model
from runner.control import runs
from runner.control.admission import AgentState, Stop, refusal
from runner.control.lifecycle import find_agent
from runner.control.prices import ModelPrice
from runner.control.purses import LEAST_OUTPUT_TOKENS, Purse, Short, purses_of, shortage
from runner.control.registry import Registry
from runner.control.store import Transaction, envelope
from runner.control.tables import wallets
from runner.control.versions import Frozen
from runner.errors import PriceUnknown, RunRefused

if TYPE_CHECKING:
    from runner.control.core import Core, Version


def request_run(control: Core, agent_id: str, task: str, person_id: str) -> str:
    """See :meth:`runner.control.plane.Control.request_run`."""
    with control.store.write() as tx:
        registry = control.registry_in(tx.sql)
        control.known_person(registry, person_id)
        state = find_agent(tx.sql, registry, agent_id)
        version = control.version(tx.sql, agent_id, state.agent_version)
        run = _new_run(tx, registry, state, version, task, person_id)
        stop = refusal(registry, state, version.frozen, person_id, tx.now)
        if stop is None:
            check_model(version.frozen.model)
            price = control.price(registry, version.frozen)
            stop = _by_wallets(tx, registry, run, version.frozen, price)
        if stop:
            run = replace(run, status="refused")
        runs.insert(tx, run, version.version_hash)
        if stop:
            _tell(tx, run, stop)
    if stop:
        control.relay.flush()
        raise RunRefused(run.run_id, stop.rule, stop.reason, stop.advice)
    return run.run_id


def _new_run(
    tx: Transaction, registry: Registry, state: AgentState, version: Version, task: str, person_id: str
) -> runs.Run:
    return runs.Run(
        run_id=new_event_id(tx.now),
        agent_id=state.agent_id,
        agent_version=version.agent_version,
        team_id=state.team_id,
        status="queued",
        trigger_kind="person",
        requested_by=person_id,
        role_id=registry.people[person_id].role,
        task=task,
        requested_at=tx.now,
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
    tx: Transaction, registry: Registry, run: runs.Run, frozen: Frozen, price: ModelPrice | None
) -> Stop | None:
    """A wallet that has no room even for the shortest first call, or a model that cannot be priced."""
    purses = purses_of(registry, run.agent_id, frozen.team, run.run_id, tx.now)
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
            return Stop(
                rule=f"wallet:{purse.wallet_id}", reason=reason, advice=advice, wallet_id=purse.wallet_id
            )
    return None


def _standing(connection: Connection, purse: Purse) -> Short:
    this = sa.and_(wallets.c.wallet_id == purse.wallet_id, wallets.c.window_start_at == purse.window_start)
    row = connection.execute(sa.select(wallets).where(this)).first()
    return Short(
        purse=purse,
        cap_nano_usd=row.cap_nano_usd if row else purse.cap_nano_usd or 0,
        spent_nano_usd=row.spent_nano_usd if row else 0,
        held_nano_usd=row.held_nano_usd if row else 0,
    )
