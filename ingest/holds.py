"""Legal holds: what one covers (a run, an agent, everything) is neither pruned nor erased while it lasts."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Sequence, Set

import pyarrow.compute as pc

from ingest.contract import rfc3339
from ingest.errors import MaintenanceError, MaintenanceRefusal
from ingest.log.lake import maintaining
from ingest.log.manifest import Entry, Hold, HoldReleased, Manifest
from ingest.log.writer import utc_now
from ingest.reader import rows_where
from ingest.workspace import Workspace


def active_holds(entries: Sequence[Entry]) -> list[Hold]:
    """The holds among the manifest's ``entries`` that were not released, oldest first."""
    released = {entry.hold_id for entry in entries if isinstance(entry, HoldReleased)}
    return [entry for entry in entries if isinstance(entry, Hold) and entry.hold_id not in released]


def holds(workspace: Workspace) -> list[Hold]:
    """The holds in force now. Raises OSError and SegmentError."""
    return active_holds(Manifest(workspace.record).entries())


def add_hold(
    workspace: Workspace,
    *,
    reason: str,
    person_id: str,
    run_id: str | None = None,
    agent_id: str | None = None,
    clock: Callable[[], dt.datetime] = utc_now,
) -> Hold:
    """Place a hold on one run, on one agent, or on everything, and record it in the manifest.

    Raises MaintenanceError without a reason or while files are pruned, OSError.
    """
    if not reason.strip() or (run_id is not None and agent_id is not None):
        raise MaintenanceError(
            "No hold placed: a hold needs a reason, and covers one run, one agent or everything. "
            "Give --reason and at most one of --run and --agent."
        )
    hold = Hold(
        hold_id=f"hold-{secrets.token_hex(4)}",
        run_id=run_id,
        agent_id=agent_id,
        reason=reason,
        placed_by=person_id,
        placed_at=rfc3339(clock()),
    )
    record = workspace.record
    with maintaining(record):  # a pruning at work decided without this hold
        Manifest(record).append([hold])
    return hold


def release_hold(
    workspace: Workspace,
    hold_id: str,
    *,
    reason: str,
    person_id: str,
    clock: Callable[[], dt.datetime] = utc_now,
) -> None:
    """End the hold ``hold_id``. Raises MaintenanceError when it is not in force or without a reason."""
    in_force = [hold.hold_id for hold in holds(workspace)]
    if hold_id not in in_force or not reason.strip():
        known = ", ".join(in_force) or "none"
        raise MaintenanceError(
            f"No hold released: {hold_id!r} must be a hold in force ({known}), with a reason. "
            "`fleetbook log hold list` shows them."
        )
    ended = HoldReleased(hold_id=hold_id, reason=reason, released_by=person_id, released_at=rfc3339(clock()))
    Manifest(workspace.record).append([ended])


def refuse_held(workspace: Workspace, payload_ids: Set[str], what: str) -> None:
    """Raise MaintenanceRefusal when a hold covers an event that names one of ``payload_ids``."""
    if not payload_ids:
        return
    for hold in holds(workspace):
        if _covers_any(workspace, hold, payload_ids):
            raise MaintenanceRefusal(
                f"{what}: {hold.hold_id} ({named(hold)}, placed by {hold.placed_by}: {hold.reason}) keeps "
                "these texts. Release the hold first, or wait until it is released."
            )


def _covers_any(workspace: Workspace, hold: Hold, payload_ids: Set[str]) -> bool:
    key, wanted = ("run_id", hold.run_id) if hold.run_id is not None else ("agent_id", hold.agent_id)
    if wanted is None:
        return True
    tables = rows_where(workspace, ["payload_id", key], key, wanted)
    return any(not payload_ids.isdisjoint(pc.drop_null(table["payload_id"]).to_pylist()) for table in tables)


def named(hold: Hold) -> str:
    """What ``hold`` covers, in words."""
    if hold.run_id is not None:
        return f"run {hold.run_id}"
    return f"agent {hold.agent_id}" if hold.agent_id is not None else "everything"
