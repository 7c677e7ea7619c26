"""The control plane as one object: what commands, pages and workers ask it to do.

Each method is one transaction of state and events; the relay brings the events into the log afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from runner.control import decisions, declare, lifecycle, requests
from runner.control.access import Target
from runner.control.admission import AgentState
from runner.control.core import Core
from runner.control.declared import Status, nearest
from runner.control.plan import Plan
from runner.control.purses import purse_of
from runner.control.registry import Registry
from runner.control.wallet import record_imported_spend
from runner.errors import NotFound, RegistryNotApplied


class Control(Core):
    """The control plane of one workspace with its usual operations; see :class:`Core` for the parameters."""

    def plan(self, declared: Registry) -> Plan:
        """What :meth:`apply` would do now."""
        return declare.plan(self.store, declared)

    def apply(self, declared: Registry, *, person_id: str | None = None) -> Plan:
        """Apply a registry; its events are durable in the log when this returns.

        Raises AccessRefused when ``person_id`` is given and may not apply_registry.
        """
        if person_id is not None:
            try:
                acting = self.registry()
            except RegistryNotApplied:
                acting = declared
            self.require(acting, person_id, "apply_registry", Target())
        done = declare.apply(self.store, declared, person_id=person_id)
        self.relay.flush()
        return done

    def agent_states(self) -> dict[str, AgentState]:
        """Decided state of every agent that was ever declared, by id."""
        with self.store.read() as connection:
            return lifecycle.agent_states(connection)

    # Runs

    def request_run(self, agent_id: str, task: str, person_id: str) -> str:
        """Ask for a run: queued when every rule agrees; returns its run_id.

        Raises RunRefused (told in the log with the rule), NotFound for an unknown agent or person,
        ModelUnusable.
        """
        return requests.request_run(self, agent_id, task, person_id)

    # Decisions

    def shown(self, approval_id: str, person_id: str) -> None:
        """Record that a request was on a person's screen; once per person.

        Raises NotFound, AccessRefused for who may not see the request.
        """
        decisions.shown(self, approval_id, person_id)

    def decide(
        self,
        approval_id: str,
        person_id: str,
        decision: str,
        reason: str = "",
        changed_arguments: Mapping[str, object] | None = None,
        *,
        recorded_via: str | None = None,
    ) -> str:
        """Decide a request; returns the id of the event. The run is ready once all its requests are decided.

        ``decision`` is approved, approved_changed (with the changed arguments) or rejected (with a reason).
        Raises DecisionRefused (told in the log with the rule), NotFound.
        """
        wish = decisions.Wish(
            person_id=person_id, decision=decision, reason=reason, changed_arguments=changed_arguments
        )
        return decisions.decide(self, approval_id, wish, recorded_via=recorded_via)

    def decide_status(self, agent_id: str, status: Status, person_id: str, reason: str) -> str:
        """Decide an agent's status; returns the event's id. Owner, deputy and apply_registry holders may.

        Raises AccessRefused, NotFound.
        """
        return lifecycle.decide_status(self, agent_id, status, person_id, reason)

    def record_imported_spend(self, wallet_id: str, window_start: dt.datetime, nano_usd: int) -> None:
        """State what a wallet window spent outside this store; a second call corrects the first.

        Raises NotFound for a wallet that is not declared.
        """
        with self.store.write() as tx:
            registry = self.registry_in(tx.sql)
            budgets = {budget.wallet_id: budget for budget in registry.budgets}
            if wallet_id not in budgets:
                advice = "Wallets are declared under budgets in registry.yaml."
                raise NotFound("wallet", wallet_id, nearest(wallet_id, budgets), advice)
            record_imported_spend(tx, purse_of(registry, budgets[wallet_id], window_start), nano_usd)
