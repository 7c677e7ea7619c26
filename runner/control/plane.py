"""The control plane as one object: what commands, pages and workers ask it to do.

Each method is one transaction of state and events; the relay brings the events into the log afterwards.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.log.writer import utc_now
from ingest.workspace import Workspace
from runner.agent.models import provider_name
from runner.control import decisions, declare, requests, runs
from runner.control.access import Ruling, Target, may
from runner.control.admission import AgentState
from runner.control.plan import Plan
from runner.control.presence import Presence
from runner.control.prices import ModelPrice, price_of
from runner.control.purses import purse_of
from runner.control.registry import Action, Registry, Status, nearest
from runner.control.relay import Relay
from runner.control.store import Clock, Store
from runner.control.tables import agent_versions, agents
from runner.control.versions import Frozen, thaw
from runner.control.wallet import record_imported_spend
from runner.errors import AccessRefused, NotFound, RegistryNotApplied


class Version(NamedTuple):
    """A frozen agent version, its number and its hash."""

    agent_version: int
    version_hash: str
    frozen: Frozen


class Control:
    """The control plane of one workspace. Thread-safe; one object per process; close it at the end.

    ``process_name`` is how its events' writer is called in the log, ``recorded_via`` the way in. What happens
    in a demo workspace is demo data, unless ``is_demo`` says otherwise.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        process_name: str = "fleetbook",
        recorded_via: str = "runner",
        is_demo: bool | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.workspace = workspace
        self.store = Store(
            workspace.control_url,
            clock=clock,
            recorded_via=recorded_via,
            is_demo=workspace.is_demo if is_demo is None else is_demo,
        )
        self.presence = Presence(workspace)
        self.relay = Relay(self.store, workspace, self.presence, process_name)
        self._applied: tuple[int, Registry] | None = None
        self._versions: dict[tuple[str, int], Version] = {}
        self._turn = threading.Lock()

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the writer of this process, its leases' lock and the store."""
        try:
            self.relay.close()
        finally:
            self.presence.close()
            self.store.close()

    # What is declared

    def registry(self) -> Registry:
        """The applied registry. Raises RegistryNotApplied."""
        with self.store.read() as connection:
            return self.registry_in(connection)

    def registry_in(self, connection: Connection) -> Registry:
        """The applied registry as this transaction sees it. Raises RegistryNotApplied."""
        revision = declare.latest_revision(connection)
        with self._turn:
            if self._applied is None or self._applied[0] != revision:
                found = declare.applied_registry(connection)
                if found is None:
                    raise RegistryNotApplied(self.workspace.root)
                self._applied = (revision, found)
            return self._applied[1]

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
            rows = connection.execute(sa.select(agents).order_by(agents.c.agent_id)).all()
        return {row.agent_id: requests.agent_state(row) for row in rows}

    def version(self, connection: Connection, agent_id: str, agent_version: int) -> Version:
        """A frozen version. Raises NotFound."""
        key = (agent_id, agent_version)
        if key not in self._versions:
            this = sa.and_(
                agent_versions.c.agent_id == agent_id, agent_versions.c.agent_version == agent_version
            )
            row = connection.execute(sa.select(agent_versions).where(this)).first()
            if row is None:
                advice = (
                    "Its declaration is missing from the control store; restore control.db from a backup."
                )
                raise NotFound("agent version", f"{agent_id} v{agent_version}", None, advice)
            self._versions[key] = Version(agent_version, row.version_hash, thaw(row.spec))
        return self._versions[key]

    # Who may

    def may(self, person_id: str, action: Action, target: Target) -> Ruling:
        """The ruling on one question, by the applied registry."""
        return may(self.registry(), person_id, action, target)

    def require(
        self,
        registry: Registry,
        person_id: str,
        action: Action,
        target: Target,
        *,
        run_id: str | None = None,
    ) -> None:
        """Raise AccessRefused, with an event, unless ``person_id`` may do ``action`` on ``target``."""
        self.known_person(registry, person_id)
        ruling = may(registry, person_id, action, target)
        if ruling.allowed:
            return
        self.tell_refusal(registry, person_id, action, ruling, target, run_id=run_id)
        advice = f"`fleetbook may {person_id} {action}` explains it; roles and grants are in registry.yaml."
        raise AccessRefused(ruling.rule_id, ruling.sentence, advice)

    def known_person(self, registry: Registry, person_id: str) -> None:
        """Raise NotFound unless ``person_id`` is declared."""
        if person_id not in registry.people:
            close = nearest(person_id, registry.people)
            raise NotFound("person", person_id, close, "People are declared under people in registry.yaml.")

    # Runs

    def request_run(self, agent_id: str, task: str, person_id: str) -> str:
        """Ask for a run: queued when every rule agrees; returns its run_id.

        Raises RunRefused (told in the log with the rule), NotFound for an unknown agent or person,
        ModelUnusable.
        """
        return requests.request_run(self, agent_id, task, person_id)

    def run(self, run_id: str) -> runs.Run:
        """The run of that id. Raises NotFound."""
        with self.store.read() as connection:
            found = runs.find(connection, run_id)
        if found is None:
            raise NotFound("run", run_id, None, "Runs in flight are listed by `fleetbook runs`.")
        return found

    def price(self, registry: Registry, frozen: Frozen) -> ModelPrice | None:
        """List price of a version's model, or None when it is unknown."""
        return price_of(registry.prices, provider_name(frozen.model), frozen.model)

    # Decisions

    def shown(self, approval_id: str, person_id: str) -> None:
        """Record that a request was on a person's screen; once per person. Raises NotFound."""
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
        return decisions.decide_status(self, agent_id, status, person_id, reason)

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

    def tell_refusal(
        self,
        registry: Registry,
        person_id: str,
        action: str,
        ruling: Ruling,
        target: Target,
        *,
        run_id: str | None = None,
        approval_id: str | None = None,
    ) -> None:
        """Tell the log that ``person_id`` was refused something other than a run."""
        with self.store.write() as tx:
            tx.emit(
                "action_refused",
                actor_id=person_id,
                person_id=person_id,
                role_id=registry.people[person_id].role,
                action=action,
                refusal_rule=ruling.rule_id,
                reason=ruling.sentence,
                agent_id=target.agent_id,
                team_id=target.team_id,
                run_id=run_id,
                approval_id=approval_id,
            )
        self.relay.flush()
