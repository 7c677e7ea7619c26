"""The vital signs of a workspace: one reading of its stores, for `fleetbook doctor` and for monitoring."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from app.freshness import Freshness, freshness
from app.warehouse import Warehouse
from ingest.importers import quarantine
from ingest.log.checkpoint import checkpoint_files
from ingest.log.status import LogStatus, status
from ingest.workspace import Workspace
from runner.control.core import Core
from runner.control.tables import approvals, holds, notice_sends, outbox, runs
from runner.control.workers import Seen, seen

RUN_STATES = ("queued", "running", "waiting", "ready", "ended", "refused")


@dataclass(frozen=True, kw_only=True)
class ControlVitals:
    """The control store: runs by status, what is overdue, and what waits to be written or sent.

    ``abandoned_runs`` are running under a lease that is over; ``oldest_queued_at`` is the request of the
    oldest run that could be played now; ``overdue_holds`` are money held for a turn past its time.
    """

    runs: dict[str, int]
    abandoned_runs: int
    oldest_queued_at: dt.datetime | None
    waiting_approvals: int
    oldest_approval_at: dt.datetime | None
    overdue_holds: int
    outbox_events: int
    notices_given_up: int
    workers: tuple[Seen, ...]


@dataclass(frozen=True, kw_only=True)
class LogVitals:
    """The log: its state, and when the newest checkpoint was made."""

    status: LogStatus
    signed_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class WarehouseVitals:
    """The generation that the pages show: number, moment, newest event, how it stands to the log."""

    build_id: str
    built_at: dt.datetime
    data_until: dt.datetime | None
    freshness: Freshness


@dataclass(frozen=True, kw_only=True)
class DiskVitals:
    """Bytes of the disk that the workspace lies on."""

    free_bytes: int
    total_bytes: int


def has_control_store(workspace: Workspace) -> bool:
    """False while nothing was ever applied or run here; looking must not make a store."""
    url = workspace.control_url
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


def control_vitals(control: Core) -> ControlVitals:
    """The control store as it is now. Raises StoreError."""
    now = control.store.clock()
    playable = runs.c.status.in_(("queued", "ready"))
    waiting = approvals.c.status == "waiting"
    with control.store.read() as connection:

        def one(statement: sa.Select[int]) -> int:
            return connection.execute(statement).scalar_one()

        by_status = sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status)
        counted: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_status)}
        abandoned = sa.select(sa.func.count()).where(runs.c.status == "running", runs.c.lease_until < now)
        return ControlVitals(
            runs={state: counted.get(state, 0) for state in RUN_STATES},
            abandoned_runs=one(abandoned),
            oldest_queued_at=connection.scalar(sa.select(sa.func.min(runs.c.requested_at)).where(playable)),
            waiting_approvals=one(sa.select(sa.func.count()).where(waiting)),
            oldest_approval_at=connection.scalar(
                sa.select(sa.func.min(approvals.c.requested_at)).where(waiting)
            ),
            overdue_holds=one(sa.select(sa.func.count()).where(holds.c.expires_at < now)),
            outbox_events=one(sa.select(sa.func.count()).select_from(outbox)),
            notices_given_up=one(sa.select(sa.func.count()).where(notice_sends.c.status == "given_up")),
            workers=tuple(seen(control)),
        )


def log_vitals(workspace: Workspace) -> LogVitals:
    """The log as it is now. Raises SegmentError for a damaged manifest, OSError."""
    signed = [path.stat().st_mtime for path in checkpoint_files(workspace) if path.stem.isdecimal()]
    return LogVitals(
        status=status(workspace),
        signed_at=dt.datetime.fromtimestamp(max(signed), dt.UTC) if signed else None,
    )


def warehouse_vitals(workspace: Workspace, now: dt.datetime) -> WarehouseVitals | None:
    """The current generation at ``now``; None before the first build. Raises WarehouseError, IngestError."""
    current = Warehouse.current(workspace)
    if current is None:
        return None
    return WarehouseVitals(
        build_id=current.build_id,
        built_at=current.built_at,
        data_until=current.data_until,
        freshness=freshness(workspace, current, now),
    )


def disk_vitals(workspace: Workspace) -> DiskVitals:
    """Room on the workspace's disk now."""
    usage = shutil.disk_usage(workspace.root)
    return DiskVitals(free_bytes=usage.free, total_bytes=usage.total)


def quarantined(workspace: Workspace) -> int:
    """Runs and requests that were rejected and are kept with their reasons."""
    return quarantine.count(workspace)
