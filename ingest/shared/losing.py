"""A machine that does not come back: its open writers end, on record, with what arrived of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ingest.contract import Value, derived_event_id, rfc3339
from ingest.errors import MaintenanceError, MaintenanceRefusal
from ingest.log.manifest import Manifest, segments_of
from ingest.log.writer import LogWriter, utc_now
from ingest.shared.arrivals import arrived
from ingest.shared.joining import opened
from ingest.shared.machines import Statement, is_silent, name_of, statements, waiting
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What was declared: writers that end, and events that were stated and never arrived."""

    writers: int
    events: int


def declare(
    workspace: Workspace,
    machine_id: str,
    *,
    reason: str,
    person_id: str,
    clock: Callable[[], dt.datetime] = utc_now,
) -> Lost:
    """Record the end of each open writer of ``machine_id``, as the copy of the record here knows it.

    Raises MaintenanceRefusal while the machine still speaks, MaintenanceError when there is no such machine
    or no reason, PlaceError, WriterError, OSError.
    """
    found = next((one for one in statements(workspace.record) if one.machine_id == machine_id), None)
    if found is None or not reason.strip():
        raise MaintenanceError(
            f"Not declared lost: {machine_id!r} must be a machine of the record, with a reason. "
            "`fleetbook machines list` shows them."
        )
    if not is_silent(found, clock()):
        raise MaintenanceRefusal(
            f"Not declared lost: {machine_id} spoke at {found.stated_at}. Stop it first, or let it ship what "
            "it has: `fleetbook machines ship` on that machine."
        )
    last = arrived(segments_of(Manifest(workspace.record).entries()))
    missing = waiting(found, last)
    records = [
        _record(
            found, writer.writer_id, last[writer.writer_id], missing.get(writer.writer_id, 0), reason, clock()
        )
        for writer in found.writers
        if writer.writer_id in last
    ]
    if records:
        with LogWriter(workspace, recorded_via="log", process_name="fleetbook machines lost") as log:
            log.append([{**record, "actor_id": person_id} for record in records])
    silenced = msgspec.structs.replace(found, stated_at=rfc3339(clock()), writers=())
    opened(workspace).objects.replace(name_of(machine_id), msgspec.json.encode(silenced))
    return Lost(writers=len(records), events=sum(missing.values()))


def _record(
    machine: Statement, writer_id: str, last_seq: int, missing: int, reason: str, now: dt.datetime
) -> dict[str, Value]:
    return {
        "event_id": derived_event_id(now, "log_recovered", writer_id, str(last_seq + 1)),
        "event_type": "log_recovered",
        "occurred_at": now,
        "recovered_writer_id": writer_id,
        "reason": f"machine {machine.machine_id} is lost ({reason}); {missing} events of it never came",
        "torn_bytes": 0,
        "declared_count": last_seq + 1,
    }
