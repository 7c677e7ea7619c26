"""How the machinery does: the log and what is signed of it, quarantine, workers, disk."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app.desk import Desk
from app.freshness import Freshness
from app.freshness import freshness as measured
from app.live.reach import sees_all
from app.warehouse import Warehouse
from ingest.contract import parse_rfc3339
from ingest.importers import quarantine
from ingest.log.checkpoint import checkpoint_files
from ingest.log.manifest import Manifest, decode_entry, written_at
from ingest.log.status import status
from runner.control import workers
from runner.control.workers import Seen

__all__ = ["Build", "Disk", "Freshness", "LogHealth", "Refused", "Seen", "Signed"]


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The newest checkpoint: how many manifest lines it covers and when the last of them was written.

    What is recorded later than ``signed_at`` is not signed yet. None: nothing is.
    """

    signed_at: dt.datetime | None
    line_count: int | None


@dataclass(frozen=True, kw_only=True)
class LogHealth:
    """The log: events sealed and still open, segments, lines of the manifest, and what is signed of them."""

    sealed_events: int
    open_events: int
    segment_count: int
    recovered_segments: int
    dead_writers: int
    manifest_lines: int
    signed: Signed
    last_recorded_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Runs that an import refused, by file and reason."""

    source_file: str
    reason: str
    run_count: int


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Bytes of the workspace by part, and what is free of the disk it lies on."""

    parts: dict[str, int]
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, kw_only=True)
class Build:
    """A generation of the warehouse that is kept; ``seconds`` is None where its build did not say."""

    build_id: str
    built_at: dt.datetime
    data_until: dt.datetime | None
    event_count: int
    seconds: float | None
    is_current: bool


def builds(desk: Desk) -> list[Build]:
    """The generations that are kept, newest first; one that cannot be read is left out."""
    root = desk.control.workspace.build_dir
    current = (root / "current").resolve()
    found = []
    for path in sorted((root / "gens").glob("*"), reverse=True):
        try:
            facts = json.loads((path / "generation.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # being made, or removed by a builder just now
        found.append(_build(facts, is_current=path.resolve() == current))
    return found


def _build(facts: dict[str, str | int | float | None], *, is_current: bool) -> Build:
    until, seconds = facts.get("data_until"), facts.get("seconds")
    return Build(
        build_id=str(facts["build_id"]),
        built_at=dt.datetime.fromisoformat(str(facts["built_at"])),
        data_until=dt.datetime.fromisoformat(str(until)) if until else None,
        event_count=int(facts["event_count"] or 0),
        seconds=float(seconds) if seconds is not None else None,
        is_current=is_current,
    )


def freshness(desk: Desk, warehouse: Warehouse, now: dt.datetime) -> Freshness:
    """How the build that is shown stands to the log. Raises SegmentError for a damaged manifest, OSError."""
    return measured(desk.control.workspace, warehouse, now)


def signed(desk: Desk) -> Signed:
    """How far the newest checkpoint of the workspace goes, by what the manifest records.

    Raises SegmentError for a damaged manifest.
    """
    workspace = desk.control.workspace.record
    sizes = [int(path.stem) for path in checkpoint_files(workspace) if path.stem.isdecimal()]
    if not sizes:
        return Signed(signed_at=None, line_count=None)
    size = max(sizes)
    lines = Manifest(workspace).lines()
    last = decode_entry(lines[size - 1], size) if 0 < size <= len(lines) else None
    return Signed(signed_at=parse_rfc3339(written_at(last)) if last else None, line_count=size)


def log_health(desk: Desk) -> LogHealth:
    """The state of the log now. Raises IngestError for a damaged manifest, OSError."""
    found = status(desk.control.workspace.record)
    return LogHealth(
        sealed_events=found.sealed_events,
        open_events=sum(one.event_count for one in found.open_writers),
        segment_count=found.segment_count,
        recovered_segments=found.recovered_segments,
        dead_writers=sum(not one.is_alive for one in found.open_writers),
        manifest_lines=found.manifest_lines,
        signed=signed(desk),
        last_recorded_at=found.last_recorded_at,
    )


def quarantined(desk: Desk, person_id: str) -> list[Refused] | None:
    """Refused runs by file and reason, most first; None for who does not see all teams.

    A refused run belongs to no team yet. Raises SourceError for a damaged quarantine file.
    """
    if not sees_all(desk.control.registry(), person_id):
        return None
    counts: Counter[tuple[str, str]] = Counter()
    for path in quarantine.files(desk.control.workspace):
        for one in quarantine.read(path):
            counts[one.source_file, one.reason] += 1
    return [
        Refused(source_file=file, reason=reason, run_count=number)
        for (file, reason), number in counts.most_common()
    ]


def workers_seen(desk: Desk) -> list[Seen]:
    """Workers that have not signed off, oldest first."""
    return workers.seen(desk.control)


def disk(desk: Desk) -> Disk:
    """How much room each part of the workspace takes, and how much is left."""
    root = desk.control.workspace.root
    parts = {path.name: _size(path) for path in sorted(root.iterdir()) if not path.is_symlink()}
    usage = shutil.disk_usage(root)
    return Disk(parts=parts, free_bytes=usage.free, total_bytes=usage.total)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except FileNotFoundError:
                continue  # a builder removed it meanwhile
    return total
