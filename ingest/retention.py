"""Retention: sealed files whose time has ended go, with the texts that only they name; every proof stays.

Order: manifest record, texts, files. Whatever interrupts this, the next pruning does the rest. The manifest
keeps every line, so the Merkle tree, its checkpoints and all other events verify as before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import parse_rfc3339, rfc3339
from ingest.errors import MaintenanceError, MaintenanceRefusal
from ingest.holds import active_holds, named
from ingest.log.lake import FLOOR_DAYS, SealedFile, maintaining, merged, remove_files
from ingest.log.manifest import Entry, Hold, Manifest, Prune
from ingest.log.recover import recover
from ingest.log.segments import ROW_GROUP_ROWS, event_table
from ingest.log.view import View, look, open_chunks
from ingest.log.writer import utc_now
from ingest.payload_removal import remove_texts
from ingest.payload_struck import texts_alone
from ingest.shared.adding import sweep
from ingest.shared.erasing import erase_at_place
from ingest.workspace import Workspace

FLOOR_REASON = (
    "the EU AI Act (Articles 19(1) and 26(6)) has logs of high-risk systems kept for at least six months, "
    f"which is up to {FLOOR_DAYS} days"
)
_COLUMNS = ["event_type", "payload_id", "run_id", "agent_id"]


@dataclass(frozen=True, kw_only=True)
class PrunePlan:
    """What a pruning would delete: files, their events, bytes; ``kept`` are old files that stay, and why."""

    cutoff: dt.datetime
    files: tuple[SealedFile, ...]
    kept: tuple[tuple[str, str], ...]

    @property
    def event_count(self) -> int:
        """Events in the files."""
        return sum(file.count for file in self.files)

    @property
    def file_bytes(self) -> int:
        """Bytes of the files."""
        return sum(file.file_bytes for file in self.files)


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """What was deleted; ``is_removal_postponed`` while somebody reads the files."""

    plan: PrunePlan
    text_count: int
    is_removal_postponed: bool


def plan_pruning(
    workspace: Workspace, older_than_days: int, *, clock: Callable[[], dt.datetime] = utc_now
) -> PrunePlan:
    """The sealed files whose newest event was recorded more than ``older_than_days`` ago.

    Files with an event under a legal hold stay whole, and so do those that record the erasure of a text that
    a remaining event names. Raises MaintenanceRefusal below the legal floor, SegmentError, OSError.
    """
    if older_than_days < FLOOR_DAYS:
        raise MaintenanceRefusal(
            f"Not pruned: {older_than_days} days is less than {FLOOR_DAYS}: {FLOOR_REASON}. "
            f"Give --older-than-days {FLOOR_DAYS} or more."
        )
    cutoff = clock() - dt.timedelta(days=older_than_days)
    with look(workspace) as view:
        holds = active_holds([*view.entries, *_shared_entries(workspace)])
        old = [file for file in view.sealed.files if parse_rfc3339(file.max_recorded_at) < cutoff]
        kept = {file.file: why for file in old if (why := _held_by(workspace, file, holds))}
        going = [file for file in old if file.file not in kept]
        if going:
            kept |= _needed_erasures(workspace, going, _named_elsewhere(workspace, view, going))
    return PrunePlan(
        cutoff=cutoff,
        files=tuple(file for file in going if file.file not in kept),
        kept=tuple(sorted(kept.items())),
    )


def _shared_entries(workspace: Workspace) -> list[Entry]:
    """The manifest of the record that this machine shares: a hold there is a hold here."""
    return Manifest(workspace.record).entries() if workspace.record != workspace else []


def _rows(workspace: Workspace, file: SealedFile) -> pa.Table:
    with pq.ParquetFile(workspace.lake_dir / file.file, page_checksum_verification=True) as parquet:
        return parquet.read(columns=_COLUMNS)


def _held_by(workspace: Workspace, file: SealedFile, holds: Sequence[Hold]) -> str:
    """Which hold keeps ``file``, or nothing."""
    if not holds:
        return ""
    rows = _rows(workspace, file)
    for hold in holds:
        key, wanted = ("run_id", hold.run_id) if hold.run_id is not None else ("agent_id", hold.agent_id)
        if wanted is None or pc.any(pc.equal(rows[key], wanted)).as_py():
            return f"{hold.hold_id} ({named(hold)})"
    return ""


def _named_elsewhere(workspace: Workspace, view: View, going: Sequence[SealedFile]) -> set[str]:
    """Payload ids that events outside of ``going`` name."""
    gone = {file.file for file in going}
    tables = [_rows(workspace, file) for file in view.sealed.files if file.file not in gone]
    tables += [event_table(chunk).select(_COLUMNS) for _, chunk in open_chunks(view, ROW_GROUP_ROWS)]
    return {payload_id for table in tables for payload_id in _ids(table, is_erasure=False)}


def _needed_erasures(
    workspace: Workspace, going: Sequence[SealedFile], named_elsewhere: set[str]
) -> dict[str, str]:
    """Files of ``going`` that record erasures of texts which a remaining event names, with the reason."""
    return {
        file.file: "it records the erasure of texts that remaining events name"
        for file in going
        if not named_elsewhere.isdisjoint(_ids(_rows(workspace, file), is_erasure=True))
    }


def _ids(rows: pa.Table, *, is_erasure: bool) -> list[str]:
    wanted = pc.equal(rows["event_type"], "payload_erased")
    chosen = rows.filter(wanted if is_erasure else pc.invert(wanted))
    ids: list[str] = chosen["payload_id"].drop_null().to_pylist()
    return ids


def prune(
    workspace: Workspace,
    *,
    older_than_days: int,
    reason: str,
    person_id: str,
    clock: Callable[[], dt.datetime] = utc_now,
) -> PruneReport:
    """Delete what :func:`plan_pruning` shows, and the texts that only those events name; record it first.

    Raises MaintenanceRefusal below the legal floor, MaintenanceError without a reason or while another
    compaction or pruning works, SegmentError, OSError.
    """
    if not reason.strip():
        raise MaintenanceError("Not pruned: the record needs a reason. Give --reason.")
    recover(workspace)
    with maintaining(workspace):
        plan = plan_pruning(workspace, older_than_days, clock=clock)
        if plan.files:
            Manifest(workspace).append([_record(plan, older_than_days, reason, person_id, clock())])
        text_count, is_postponed = _delete(workspace)
    return PruneReport(plan=plan, text_count=text_count, is_removal_postponed=is_postponed)


def _record(plan: PrunePlan, days: int, reason: str, person_id: str, now: dt.datetime) -> Prune:
    return Prune(
        files=tuple(file.file for file in plan.files),
        count=plan.event_count,
        stretches=merged(stretch for file in plan.files for stretch in file.stretches),
        min_recorded_at=min(file.min_recorded_at for file in plan.files),
        max_recorded_at=max(file.max_recorded_at for file in plan.files),
        retention_days=days,
        pruned_by=person_id,
        reason=reason,
        pruned_at=rfc3339(now),
    )


def _delete(workspace: Workspace) -> tuple[int, bool]:
    """Delete the pruned files that are still there, this pruning's and interrupted ones', and their texts."""
    with look(workspace) as view:
        there = [file for file in view.sealed.pruned.values() if (workspace.lake_dir / file.file).exists()]
        ids = {payload_id for file in there for payload_id in _ids(_rows(workspace, file), is_erasure=False)}
        if ids:
            ids -= _named_elsewhere(workspace, view, there)
    if workspace.origin_file.exists():
        text_count = erase_at_place(workspace, ids)
        sweep(workspace)
    else:
        with texts_alone(workspace):
            text_count = remove_texts(workspace, ids)
    return text_count, remove_files(workspace, [file.file for file in there]) is None
