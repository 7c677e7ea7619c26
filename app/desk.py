"""Live questions and commands of the pages: what waits, what runs, what is left, and deciding.

Every method takes the acting ``person_id`` and applies the access rules here, below the pages: a team manager
gets own-team rows only. Answers are frozen dataclasses; money is Decimal USD; times are aware UTC datetimes.
Nothing here imports the agent loop or a model SDK.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Person:
    """A declared person with role, team and the role's scope (own, team, all)."""

    person_id: str
    name: str
    role_id: str
    team_id: str
    scope: str


@dataclass(frozen=True, kw_only=True)
class Company:
    """The company and the IANA time zone in which pages show times."""

    name: str
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Money held for one model call in flight: its run, USD, and age in seconds."""

    run_id: str
    amount_usd: Decimal
    age_s: float


@dataclass(frozen=True, kw_only=True)
class Wallet:
    """One window of one wallet, the enforced numbers; ``free_usd`` = cap − spent − held, None: unlimited."""

    wallet_id: str
    wallet_kind: str
    owner_id: str
    team_id: str
    window: str
    window_start: dt.datetime
    window_end: dt.datetime
    cap_usd: Decimal | None
    is_unlimited: bool
    reason: str
    spent_usd: Decimal
    held_usd: Decimal
    unknown_usd: Decimal
    free_usd: Decimal | None
    holds: tuple[Hold, ...]


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One request for a person's decision; ``arguments`` is what the tool would get, as data."""

    approval_id: str
    run_id: str
    agent_id: str
    agent_name: str
    team_id: str
    risk_class: str
    tool_name: str
    arguments: Mapping[str, object]
    rule_id: str
    rule_text: str
    approver_role: str
    requested_by: str
    requested_at: dt.datetime
    expires_at: dt.datetime
    money_at_stake_usd: Decimal | None
    status: str
    decided_by: str | None
    decided_at: dt.datetime | None
    decision: str | None
    reason: str
    changed_arguments: Mapping[str, object] | None
    can_decide: bool
    cannot_reason: str


@dataclass(frozen=True, kw_only=True)
class LiveRun:
    """A run that has not ended: its state now, and the money it has spent and holds."""

    run_id: str
    agent_id: str
    agent_name: str
    team_id: str
    status: str
    pause_reason: str | None
    requested_by: str
    requested_at: dt.datetime
    turn_count: int
    tool_call_count: int
    spent_usd: Decimal
    held_usd: Decimal


class Desk:
    """The live side of one workspace: one object per process is enough, many threads may use it."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace

    @classmethod
    def open(cls, workspace: Workspace) -> Desk:
        """The desk of ``workspace``. Raises RunnerError when the control store cannot be opened."""
        return cls(workspace)

    def people(self) -> list[Person]:
        """Everybody declared, by name. Raises RegistryNotApplied when nothing was applied."""
        raise NotImplementedError

    def company(self) -> Company:
        """The company as declared; the frame of every page shows it."""
        raise NotImplementedError

    def teams(self) -> dict[str, str]:
        """Every declared team, id to name; names only, no access rule."""
        raise NotImplementedError

    def may_export(self, person_id: str) -> None:
        """Return when the person may export_data. Raises AccessRefused with the rule otherwise."""
        raise NotImplementedError

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
        raise NotImplementedError

    def wallets(self, person_id: str) -> list[Wallet]:
        """Current windows of the wallets this person may see (view_metrics), teams first."""
        raise NotImplementedError

    def approvals(self, person_id: str) -> list[Approval]:
        """Requests this person may see: waiting first (high risk, then oldest), then the last 200 decided."""
        raise NotImplementedError

    def shown(self, approval_id: str, person_id: str) -> None:
        """Record that the request was on the person's screen: one event per person and request."""
        raise NotImplementedError

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
        raise NotImplementedError

    def live_runs(self, person_id: str) -> list[LiveRun]:
        """Runs that have not ended, newest first, within the person's scope."""
        raise NotImplementedError

    def live_run_events(self, run_id: str, person_id: str) -> list[dict[str, object]]:
        """Events of one run in order, straight from the log with what is not sealed yet.

        Each event has a key ``payload_text``: the text when the person may read_payload (one payload_read
        event is recorded), else None. Raises AccessRefused outside the person's scope, NotFound for an
        unknown run.
        """
        raise NotImplementedError
