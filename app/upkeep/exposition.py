"""Vital signs as Prometheus metrics, read anew at each scrape; what cannot be read is absent, and said so."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from app.errors import AppError
from app.upkeep.vitals import (
    control_vitals,
    disk_vitals,
    has_control_store,
    log_vitals,
    quarantined,
    warehouse_vitals,
)
from ingest.errors import IngestError
from ingest.log.writer import utc_now
from ingest.shared.arrivals import standing
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.errors import RunnerError


class WorkspaceCollector(Collector):
    """Metrics of one workspace, each named ``fleetbook_…`` with its unit last. Times are Unix seconds.

    ``fleetbook_store_readable{store=…}`` is 0 for a store that could not be read; its metrics are left out
    then, because an unknown number is not zero.
    """

    def __init__(self, workspace: Workspace, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._workspace = workspace
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they are now."""
        readable = GaugeMetricFamily(
            "fleetbook_store_readable", "1 when the store could be read, else 0.", labels=["store"]
        )
        for store, read in _STORES.items():
            try:
                found = list(read(self._workspace, self._clock()))
            except (AppError, IngestError, RunnerError, OSError, sqlite3.Error, SQLAlchemyError):
                readable.add_metric([store], 0)
                continue
            readable.add_metric([store], 1)
            yield from found
        yield readable

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: registering must not read the stores."""
        return []


def _gauge(name: str, meaning: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(f"fleetbook_{name}", meaning, value=value)


def _by(name: str, meaning: str, label: str, values: dict[str, int]) -> Iterator[Metric]:
    family = GaugeMetricFamily(f"fleetbook_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    yield family


def _age(moment: dt.datetime | None, now: dt.datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _control(workspace: Workspace, now: dt.datetime) -> Iterator[Metric]:
    if not has_control_store(workspace):
        return
    with Control(workspace, process_name="fleetbook serve-metrics") as control:
        vitals = control_vitals(control)
    alive = sum(not worker.is_gone for worker in vitals.workers)
    yield from _by("runs", "Runs by status.", "status", vitals.runs)
    yield from _gauge("runs_abandoned", "Running runs whose worker is gone.", vitals.abandoned_runs)
    yield from _gauge(
        "runs_oldest_queued_age_seconds",
        "Age of the oldest run that could be played now; 0 when there is none.",
        _age(vitals.oldest_queued_at, now),
    )
    yield from _gauge("approvals_waiting", "Calls that wait for a person.", vitals.waiting_approvals)
    yield from _gauge(
        "approvals_oldest_age_seconds",
        "Age of the oldest call that waits for a person; 0 when there is none.",
        _age(vitals.oldest_approval_at, now),
    )
    yield from _gauge("holds_overdue", "Holds of money past their time.", vitals.overdue_holds)
    yield from _gauge("outbox_events", "Events recorded and not yet in the log.", vitals.outbox_events)
    yield from _gauge("notices_given_up", "Notices that could not be delivered.", vitals.notices_given_up)
    yield from _gauge("workers_alive", "Workers that are alive.", alive)


def _log(workspace: Workspace, now: dt.datetime) -> Iterator[Metric]:
    vitals = log_vitals(workspace)
    state = vitals.status
    signed = vitals.signed_at.timestamp() if vitals.signed_at else None
    newest = state.last_recorded_at.timestamp() if state.last_recorded_at else None
    yield from _gauge("log_sealed_events", "Events in sealed files.", state.sealed_events)
    yield from _gauge("log_sealed_files", "Sealed files.", state.segment_count)
    yield from _gauge("log_sealed_bytes", "Bytes of the sealed files.", state.segment_bytes)
    yield from _gauge(
        "log_open_events",
        "Acknowledged events that are not sealed yet.",
        sum(one.event_count for one in state.open_writers),
    )
    yield from _gauge(
        "log_dead_writers",
        "Writers that ended without sealing.",
        sum(not one.is_alive for one in state.open_writers),
    )
    yield from _gauge("log_missing_files", "Sealed files that are not there.", len(state.missing_files))
    yield from _gauge("log_manifest_lines", "Lines of the manifest.", state.manifest_lines)
    yield from _gauge("log_signed_lines", "Lines that a checkpoint covers.", state.signed_lines or 0)
    yield from _gauge("log_signed_timestamp_seconds", "When the newest checkpoint was made.", signed)
    yield from _gauge("log_newest_event_timestamp_seconds", "When the newest sealed event came.", newest)


def _shared(workspace: Workspace, now: dt.datetime) -> Iterator[Metric]:
    """By the copy of the record here: alert on what does not arrive where a copy is fetched."""
    if workspace.record == workspace:
        return
    machines = standing(workspace.record, now)
    record = log_vitals(workspace.record).status
    yield from _gauge("record_events", "Events in the copy of the shared record.", record.sealed_events)
    yield from _gauge("record_manifest_lines", "Lines of the shared manifest.", record.manifest_lines)
    yield from _gauge("record_signed_lines", "Lines that a checkpoint covers.", record.signed_lines or 0)
    yield from _by(
        "record_missing_events",
        "Events that a machine acknowledged and the record does not hold.",
        "machine",
        {one.machine_id: one.missing for one in machines},
    )
    yield from _by(
        "record_machine_stated_timestamp_seconds",
        "When a machine last spoke.",
        "machine",
        {one.machine_id: int(one.stated_at.timestamp()) for one in machines},
    )


def _warehouse(workspace: Workspace, now: dt.datetime) -> Iterator[Metric]:
    vitals = warehouse_vitals(workspace, now)
    if vitals is None:
        return
    until = vitals.data_until.timestamp() if vitals.data_until else None
    yield from _gauge(
        "warehouse_built_timestamp_seconds", "When the current build was made.", vitals.built_at.timestamp()
    )
    yield from _gauge("warehouse_data_until_timestamp_seconds", "Newest event of the current build.", until)
    fresh = vitals.freshness
    yield from _gauge(
        "warehouse_looked_timestamp_seconds",
        "When the builder looked at the log.",
        fresh.looked_at.timestamp(),
    )
    yield from _gauge(
        "warehouse_is_late", "1 when the build is behind, or builds do not keep up.", fresh.is_late
    )
    if fresh.build_time is not None:
        took = fresh.build_time.total_seconds()
        yield from _gauge("warehouse_build_seconds", "How long the current build took.", took)


def _disk(workspace: Workspace, _: dt.datetime) -> Iterator[Metric]:
    disk = disk_vitals(workspace)
    yield from _gauge("disk_free_bytes", "Free bytes of the workspace's disk.", disk.free_bytes)
    yield from _gauge("disk_total_bytes", "Bytes of the workspace's disk.", disk.total_bytes)


def _quarantine(workspace: Workspace, _: dt.datetime) -> Iterator[Metric]:
    kept = quarantined(workspace)
    yield from _gauge("quarantine_runs", "Rejected runs that are kept with their reasons.", kept)


_STORES: dict[str, Callable[[Workspace, dt.datetime], Iterator[Metric]]] = {
    "control": _control,
    "log": _log,
    "record": _shared,
    "warehouse": _warehouse,
    "disk": _disk,
    "quarantine": _quarantine,
}
