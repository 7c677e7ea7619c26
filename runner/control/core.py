"""What every operation of the control plane stands on: store, log, applied registry, versions and access.

Operations (requests, decisions, lifecycle, …) are functions over this; :class:`runner.control.plane.Control`
is the same object with the usual operations as methods.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.log.writer import utc_now
from ingest.workspace import Workspace
from runner.control import revisions, runs
from runner.control.access import Ruling, Target, may
from runner.control.content import by_registry
from runner.control.declared import Action, nearest
from runner.control.presence import Presence
from runner.control.prices import ModelPrice, price_of
from runner.control.providers import provider_name, usable
from runner.control.registry import Registry
from runner.control.relay import Relay
from runner.control.store import Clock, Store
from runner.control.tables import agent_versions
from runner.control.versions import Frozen, thaw
from runner.errors import AccessRefused, NotFound, RegistryNotApplied


class Version(NamedTuple):
    """A frozen agent version, its number and its hash."""

    agent_version: int
    version_hash: str
    frozen: Frozen


class Core:
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
            unkept=by_registry(workspace, self.registry_in),
        )
        self.presence = Presence(workspace)
        self.relay = Relay(self.store, workspace, self.presence, process_name)
        self._applied: tuple[int, Registry] | None = None
        self._versions: dict[tuple[str, int], Version] = {}
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
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
        revision = revisions.latest_revision(connection)
        with self._turn:
            if self._applied is None or self._applied[0] != revision:
                found = revisions.applied_registry(connection)
                if found is None:
                    raise RegistryNotApplied(self.workspace.root)
                self._applied = (revision, found)
            return self._applied[1]

    def registry_of(self, revision: int) -> Registry:
        """The applied registry when ``revision`` is still its number, else the newest."""
        applied = self._applied
        return applied[1] if applied is not None and applied[0] == revision else self.registry()

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

    def run(self, run_id: str) -> runs.Run:
        """The run of that id. Raises NotFound."""
        with self.store.read() as connection:
            found = runs.find(connection, run_id)
        if found is None:
            raise NotFound("run", run_id, None, "Runs in flight are listed by `fleetbook runs`.")
        return found

    def price(self, registry: Registry, frozen: Frozen) -> ModelPrice | None:
        """List price of the first model of a version that can be called from here and has one, or None."""
        prices = (self.list_price(registry, model) for model in usable(frozen.models))
        return next((price for price in prices if price is not None), None)

    def list_price(self, registry: Registry, model: str) -> ModelPrice | None:
        """List price of a registered model, or None when it is unknown. Raises ModelUnusable."""
        return price_of(registry.prices, provider_name(model), model)

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
