"""Live questions and commands of the pages: what waits, what runs, what is left, and deciding.

Every method takes the acting ``person_id`` and applies the access rules here, below the pages: a team manager
gets own-team rows only. Answers are frozen dataclasses; money is Decimal USD; times are aware UTC datetimes.
Nothing here imports the agent loop or a model SDK.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping

import sqlalchemy as sa

from app.desk_rows import (
    Approval,
    Company,
    Hold,
    LiveRun,
    Person,
    Wallet,
    approval_row,
    live_run_row,
    wallet_row,
)
from app.lately import Lately
from ingest.errors import PayloadLocked
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from runner.control import approvals, content_grants, recover, runs
from runner.control.access import Target, may
from runner.control.approvals import Request
from runner.control.content_grants import Reading
from runner.control.decisions import standing
from runner.control.plane import Control
from runner.control.purses import Purse, purse_of, usd
from runner.control.registry import Registry
from runner.control.runs import Run
from runner.control.tables import OPEN_RUN_STATUSES, holds, wallets
from runner.errors import AccessRefused, DecisionRefused, NotFound, RegistryNotApplied, RunnerError

__all__ = [
    "AccessRefused",
    "Approval",
    "Company",
    "DecisionRefused",
    "Desk",
    "Hold",
    "LiveRun",
    "NotFound",
    "Person",
    "RegistryNotApplied",
    "RunnerError",
    "Wallet",
]

# A page asks again at every click: reading one run for this long counts, and is recorded, as one reading.
_ONE_READING_S = 900.0
_DECIDED_SHOWN = 200


class Desk:
    """The live side of one workspace: one object per process is enough, many threads may use it."""

    def __init__(self, control: Control):
        self._control = control
        self._readings = Lately(_ONE_READING_S)

    @classmethod
    def open(cls, workspace: Workspace) -> Desk:
        """The desk of ``workspace``. Raises RunnerError when the control store cannot be opened."""
        return cls(Control(workspace, process_name="fleetbook pages", recorded_via="app"))

    def close(self) -> None:
        """Close what the desk has open."""
        self._control.close()

    @property
    def control(self) -> Control:
        """The control plane behind the desk, for the modules of app/live; pages go through those."""
        return self._control

    def people(self) -> list[Person]:
        """Everybody declared, by name. Raises RegistryNotApplied when nothing was applied."""
        registry = self._control.registry()
        found = [
            Person(
                person_id=person_id,
                name=person.name,
                role_id=person.role,
                team_id=person.team,
                scope=registry.roles[person.role].scope,
            )
            for person_id, person in registry.people.items()
        ]
        return sorted(found, key=lambda person: person.name)

    def company(self) -> Company:
        """The company as declared; the frame of every page shows it. Raises RegistryNotApplied."""
        declared = self._control.registry().company
        return Company(name=declared.name, time_zone=declared.time_zone)

    def teams(self) -> dict[str, str]:
        """Every declared team, id to name; names only, no access rule. Raises RegistryNotApplied."""
        return {team_id: team.name for team_id, team in self._control.registry().teams.items()}

    def may_export(self, person_id: str) -> None:
        """Return when the person may export_data. Raises AccessRefused with the rule otherwise."""
        registry = self._control.registry()
        self._control.require(registry, person_id, "export_data", Target(person_id=person_id))

    def record_export(
        self,
        person_id: str,
        *,
        export_id: str,
        export_format: str,
        row_count: int,
        content_sha256: str,
        filter_text: str,
        scope: str,
    ) -> str:
        """Write ``export_created`` and return its event id; it is durable in the log when this returns.

        The files become visible only afterwards. Raises AccessRefused as :meth:`may_export`, RelayError when
        the event could not be brought into the log.
        """
        self.may_export(person_id)
        with self._control.store.write() as tx:
            event_id = tx.emit(
                "export_created",
                actor_id=person_id,
                person_id=person_id,
                export_id=export_id,
                export_format=export_format,
                row_count=row_count,
                content_sha256=content_sha256,
                filter_text=filter_text,
                scope=scope,
            )
        self._control.relay.flush()
        return event_id

    def wallets(self, person_id: str) -> list[Wallet]:
        """Current windows of the wallets this person may see (view_metrics), teams first."""
        control = self._control
        registry, now = control.registry(), control.store.clock()
        purses = [
            purse_of(registry, one, now) for one in registry.budgets if not one.wallet.startswith("run:")
        ]
        seen = [purse for purse in purses if _may_see(registry, person_id, _purse_target(purse))]
        with control.store.read() as connection:
            rows = {
                (row.wallet_id, row.window_start_at): row for row in connection.execute(sa.select(wallets))
            }
            open_holds = connection.execute(sa.select(holds).order_by(holds.c.held_at)).all()
        held: dict[tuple[str, dt.datetime], list[Hold]] = defaultdict(list)
        for row in open_holds:
            hold = Hold(
                run_id=row.run_id,
                amount_usd=usd(row.amount_nano_usd),
                age_s=(now - row.held_at).total_seconds(),
            )
            held[row.wallet_id, row.window_start_at].append(hold)
        found = []
        for purse in seen:
            key = (purse.wallet_id, purse.window_start)
            found.append(wallet_row(purse, rows.get(key), tuple(held[key])))
        return sorted(found, key=lambda one: (one.wallet_kind != "team", one.wallet_id))

    def approvals(self, person_id: str) -> list[Approval]:
        """Requests this person may see: waiting first (high risk, then oldest), then the last 200 decided.

        Arguments are content: they are empty for a person who may neither decide nor read texts.
        """
        control = self._control
        recover.lapse_requests(control)
        registry = control.registry()
        with control.store.read() as connection:
            waiting = approvals.waiting(connection)
            decided = approvals.latest_decided(connection, _DECIDED_SHOWN)
            seen = [
                (request, self._reading(connection, registry, person_id, target, request.run_id))
                for request in (*waiting, *decided)
                if _may_see(registry, person_id, target := _request_target(request))
            ]
            found = [self._approval(connection, registry, person_id, *pair) for pair in seen]
        for request, reading in seen:
            if reading.grant_id is not None:
                target = _request_target(request)
                self._record_reading(request.run_id, person_id, target, 1, reading.grant_id)
        return sorted(
            found,
            key=lambda one: (
                one.status != "waiting",
                one.risk_class != "high",
                one.requested_at if one.status == "waiting" else dt.datetime.max.replace(tzinfo=dt.UTC),
            ),
        )

    def shown(self, approval_id: str, person_id: str) -> None:
        """Record that the request was on the person's screen: one event per person and request.

        Raises AccessRefused for who may not see the request.
        """
        self._control.shown(approval_id, person_id)

    def decide(
        self,
        approval_id: str,
        person_id: str,
        decision: str,
        reason: str = "",
        changed_arguments: Mapping[str, object] | None = None,
    ) -> str:
        """Decide: ``approved``, ``approved_changed`` (with ``changed_arguments``), ``rejected``.

        Returns the id of the event it wrote. Raises DecisionRefused (rule, reason) when the person may
        not decide, the request is decided or expired, or the changed arguments do not fit the tool.
        The run is then ready; a worker (``fleetbook worker``) resumes it.
        """
        return self._control.decide(
            approval_id, person_id, decision, reason, changed_arguments, recorded_via="app"
        )

    def live_runs(self, person_id: str) -> list[LiveRun]:
        """Runs that have not ended, newest first, within the person's scope."""
        control = self._control
        registry = control.registry()
        with control.store.read() as connection:
            found = runs.listed(connection, OPEN_RUN_STATUSES)
            per_run = sa.select(holds.c.run_id, sa.func.max(holds.c.amount_nano_usd)).group_by(holds.c.run_id)
            held: dict[str, int] = {row[0]: row[1] for row in connection.execute(per_run)}
        return [
            live_run_row(registry, run, held.get(run.run_id, 0))
            for run in found
            if _may_see(registry, person_id, _run_target(run))
        ]

    def live_run_events(self, run_id: str, person_id: str) -> list[dict[str, object]]:
        """Events of one run in order, straight from the log with what is not sealed yet.

        Each event has a key ``payload_text``: the text when the person may read it (one payload_read
        event is recorded per quarter of an hour), else None; ``is_text_locked`` says that a text is encrypted
        with a key that is not at hand. Raises AccessRefused outside the person's
        scope, NotFound for an unknown run.
        """
        control = self._control
        control.relay.flush()
        events = run_events(control.workspace, run_id)
        if not events:
            raise NotFound("run", run_id, None, "The log has no event of it; see the Runs page.")
        registry = control.registry()
        first = next((event for event in events if event["event_type"] == "run_requested"), events[0])
        target = Target(
            agent_id=_text(first.get("agent_id")),
            team_id=_text(first.get("team_id")),
            person_id=_text(first.get("actor_id")),
        )
        control.require(registry, person_id, "view_metrics", target)
        texts: dict[str, str | None] = {}
        is_locked = False
        ids = [str(event["payload_id"]) for event in events if event.get("payload_id")]
        with control.store.read() as connection:
            reading = self._reading(connection, registry, person_id, target, run_id)
        if ids and reading.is_allowed:
            self._record_reading(run_id, person_id, target, len(ids), reading.grant_id)
            try:
                texts = payload_texts(control.workspace, ids)
            except PayloadLocked:
                is_locked = True
        return [
            {**event, "payload_text": texts.get(str(event.get("payload_id"))), "is_text_locked": is_locked}
            for event in events
        ]

    def _reading(
        self,
        connection: sa.Connection,
        registry: Registry,
        person_id: str,
        target: Target,
        run_id: str,
    ) -> Reading:
        now = self._control.store.clock()
        return content_grants.reading(connection, registry, person_id, target, now, run_id=run_id)

    def _record_reading(
        self, run_id: str, person_id: str, target: Target, count: int, grant_id: str | None
    ) -> None:
        if not self._readings.is_new((run_id, person_id)):
            return
        with self._control.store.write() as tx:
            tx.emit(
                "payload_read",
                actor_id=person_id,
                person_id=person_id,
                run_id=run_id,
                agent_id=target.agent_id,
                team_id=target.team_id,
                row_count=count,
                grant_id=grant_id,
            )
        self._control.relay.flush()

    def _approval(
        self,
        connection: sa.Connection,
        registry: Registry,
        person_id: str,
        request: Request,
        reading: Reading,
    ) -> Approval:
        control = self._control
        frozen = control.version(connection, request.agent_id, request.agent_version).frozen
        ruling = standing(registry, request, frozen, person_id, control.store.clock())
        target = _request_target(request)
        is_readable = reading.is_allowed or may(registry, person_id, "decide_approval", target).allowed
        return approval_row(request, frozen, ruling, is_readable=is_readable)


def _may_see(registry: Registry, person_id: str, target: Target) -> bool:
    return may(registry, person_id, "view_metrics", target).allowed


def _purse_target(purse: Purse) -> Target:
    return Target(agent_id=purse.owner_id if purse.wallet_kind == "agent" else None, team_id=purse.team_id)


def _request_target(request: Request) -> Target:
    return Target(agent_id=request.agent_id, team_id=request.team_id, person_id=request.requested_by)


def _run_target(run: Run) -> Target:
    return Target(agent_id=run.agent_id, team_id=run.team_id, person_id=run.requested_by)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
