"""Compaction: many small segments of a day become a few files in which a run or an agent is cheap to find.

The events and their hashes stay as they are, only their order in the file changes. Order of the steps: write
the new file, read it back, flush, marker, rename, manifest line, remove marker and old files. Whatever
interrupts this, :func:`tidy` (or the next compaction) does the rest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import SCHEMA_VERSION, rfc3339
from ingest.errors import MaintenanceError, SegmentError
from ingest.log.disk import file_sha256, publish, sync_folder, write_file
from ingest.log.lake import (
    MARKER_SUFFIX,
    SealedFile,
    SealedState,
    maintaining,
    marked_files,
    merged,
    remove_files,
    sealed_state,
)
from ingest.log.manifest import Compaction, Manifest
from ingest.log.segments import ROW_GROUP_ROWS, SegmentFile, widened
from ingest.log.writer import utc_now
from ingest.workspace import Workspace

# 600,000 events are a file of 45 to 100 MB. Larger ones would be quicker still for readers, but sorting holds
# the events in memory: 2.3 GB for a million, measured.
FILE_ROWS = 600_000
# A finished day is compacted as soon as it has two small files; today's folder still grows, it waits.
TODAY_FILES = 32
PART_SUFFIX = ".part"
_ORDER = [(name, "ascending") for name in ("agent_id", "run_id", "writer_id", "seq")]


@dataclass(frozen=True, kw_only=True)
class CompactReport:
    """What a compaction did: its records, files tidied up, and whether old files stay because of readers."""

    records: tuple[Compaction, ...]
    removed_files: tuple[str, ...]
    is_removal_postponed: bool


def compact(
    workspace: Workspace, *, file_rows: int = FILE_ROWS, clock: Callable[[], dt.datetime] = utc_now
) -> CompactReport:
    """Put the small sealed files of each day together, up to ``file_rows`` events in a file.

    A file is small when it has less than half of ``file_rows``. Raises MaintenanceError while another
    compaction or pruning works, SegmentError when a file is not what was sealed, OSError.
    """
    with maintaining(workspace):
        removed, is_postponed = _tidy(workspace)
        records: list[Compaction] = []
        for inputs in _groups(sealed_state(Manifest(workspace).entries()), file_rows, clock()):
            records.append(_compact_files(workspace, inputs, clock()))
            gone, is_kept = _tidy(workspace)
            removed += gone
            is_postponed = is_postponed or is_kept
        return CompactReport(
            records=tuple(records), removed_files=tuple(removed), is_removal_postponed=is_postponed
        )


def tidy(workspace: Workspace) -> list[str]:
    """Finish what an interrupted compaction left; does nothing while one is at work. Raises OSError."""
    try:
        with maintaining(workspace):
            return _tidy(workspace)[0]
    except MaintenanceError:
        return []


def _tidy(workspace: Workspace) -> tuple[list[str], bool]:
    """Remove half-made and replaced files; the flag says that readers keep the replaced ones for now."""
    state = sealed_state(Manifest(workspace).entries())
    half_made = [path.name for path in sorted(workspace.lake_dir.glob(f"*{PART_SUFFIX}"))]
    markers = marked_files(workspace)
    known = state.current.keys() | state.replaced | state.pruned.keys()
    # Nobody reads a file that the manifest never listed, so these go without asking the readers.
    for name in (*half_made, *(file for file in markers.values() if file and file not in known)):
        path = workspace.lake_dir / name
        if path.resolve().is_relative_to(workspace.lake_dir.resolve()):
            path.unlink(missing_ok=True)
            sync_folder(path.parent if path.parent.is_dir() else workspace.lake_dir)
    for marker in markers:
        marker.unlink(missing_ok=True)
    sync_folder(workspace.lake_dir)
    replaced = remove_files(workspace, sorted(state.replaced))
    return [*half_made, *(replaced or [])], replaced is None


def _groups(state: SealedState, file_rows: int, now: dt.datetime) -> Iterator[list[SealedFile]]:
    """Small files of the same day, oldest first, in groups of at most ``file_rows`` events."""
    today = f"{now.astimezone(dt.UTC):%Y-%m-%d}"
    small = [file for file in state.current.values() if file.count < file_rows // 2]
    small.sort(key=lambda file: (_folder(file), file.min_recorded_at, file.file))
    for folder, files in groupby(small, key=_folder):
        of_day = list(files)
        if folder.endswith(today) and len(of_day) < TODAY_FILES:
            continue
        group: list[SealedFile] = []
        for file in of_day:
            if sum(one.count for one in group) + file.count > file_rows:
                if len(group) > 1:
                    yield group
                group = []
            group.append(file)
        if len(group) > 1:
            yield group


def _folder(file: SealedFile) -> str:
    return file.file.partition("/")[0]


def _compact_files(workspace: Workspace, inputs: Sequence[SealedFile], now: dt.datetime) -> Compaction:
    names = "\n".join(file.file for file in inputs)
    stem = f"compacted-{sha256(names.encode()).hexdigest()[:16]}"  # a second try makes the same name
    part = workspace.lake_dir / f"{stem}{PART_SUFFIX}"
    rows = pa.concat_tables([_intact_rows(workspace, file) for file in inputs])
    _write_sorted(part, rows)
    record = Compaction(
        file=f"{_folder(inputs[0])}/{stem}.parquet",
        file_bytes=part.stat().st_size,
        file_sha256=file_sha256(part),
        count=rows.num_rows,
        min_recorded_at=min(file.min_recorded_at for file in inputs),
        max_recorded_at=max(file.max_recorded_at for file in inputs),
        schema_version=SCHEMA_VERSION,
        inputs=tuple(file.file for file in inputs),
        stretches=merged(stretch for file in inputs for stretch in file.stretches),
        compacted_at=rfc3339(now),
    )
    # The marker tells a verification, and the next compaction, what the unlisted file is.
    write_file(workspace.lake_dir / f"{stem}{MARKER_SUFFIX}", f"{record.file}\n".encode(), mode=0o640)
    publish(part, workspace.lake_dir / record.file)
    sync_folder(workspace.lake_dir)
    Manifest(workspace).append([record])
    return record


def _intact_rows(workspace: Workspace, file: SealedFile) -> pa.Table:
    """The rows of ``file``; a damaged file must not be made to look whole."""
    path = workspace.lake_dir / file.file
    if not path.exists() or file_sha256(path) != file.file_sha256:
        raise SegmentError(
            f"Not compacted: {path} is missing or differs from what was sealed. "
            "Run `fleetbook verify` to see which events are concerned, and restore it from a backup."
        )
    with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
        rows = widened(parquet.read())
    if rows.num_rows != file.count:
        raise SegmentError(
            f"Not compacted: {path} has {rows.num_rows} events, the manifest says {file.count}. "
            "Run `fleetbook verify` and restore the file from a backup."
        )
    return rows


def _write_sorted(part: Path, rows: pa.Table) -> None:
    """Write ``rows`` by agent and run, and read every row group back: the old files go after this."""
    order = pc.sort_indices(rows, sort_keys=_ORDER)
    file = SegmentFile(part)
    try:
        for start in range(0, len(order), ROW_GROUP_ROWS):
            file.add(rows.take(order.slice(start, ROW_GROUP_ROWS)))
    finally:
        file.close()
    with pq.ParquetFile(part, page_checksum_verification=True) as written:
        for group in range(written.num_row_groups):
            expected = rows.take(order.slice(group * ROW_GROUP_ROWS, ROW_GROUP_ROWS))
            if not written.read_row_group(group).equals(expected):
                raise SegmentError(
                    f"Not compacted: {part} does not read back as it was written. "
                    "Check the disk; the old files are untouched."
                )
