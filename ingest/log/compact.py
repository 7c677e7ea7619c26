"""Compaction: many small segments of a day become a few files in which a run or an agent is cheap to find.

The events and their hashes stay as they are, only their order in the file changes. Order of the steps: write
the new file, read it back, and, while nobody reads the lake: marker, rename, manifest line, remove old files
and marker. Whatever interrupts this, :func:`tidy` (or the next compaction) does the rest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from ingest.contract import SCHEMA_VERSION, rfc3339
from ingest.errors import MaintenanceError
from ingest.log.disk import file_sha256, publish, sync_folder, write_file
from ingest.log.lake import (
    MARKER_SUFFIX,
    SealedFile,
    SealedState,
    alone,
    maintaining,
    marked_files,
    merged,
    remove_files,
    sealed_state,
)
from ingest.log.manifest import Compaction, Manifest
from ingest.log.merge import GROUP_ROWS, merge
from ingest.log.writer import utc_now
from ingest.shared.adding import put_file
from ingest.workspace import Workspace

# Files get 64 to 256 MB where a day has that much: the size that readers of Parquet are quickest with.
FILE_BYTES = 192 << 20
_SMALL = 3  # less than a third of FILE_BYTES is small
# A finished day is compacted as soon as it has two small files; today's folder still grows, it waits.
TODAY_FILES = 32
PART_SUFFIX = ".part"
# Readers hold the lake for milliseconds; a verification or a build for as long as it takes.
PATIENCE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class CompactReport:
    """What a compaction did: its records, files tidied up, and whether it gave up because of readers."""

    records: tuple[Compaction, ...]
    removed_files: tuple[str, ...]
    is_postponed: bool


def compact(
    workspace: Workspace,
    *,
    file_bytes: int = FILE_BYTES,
    group_rows: int = GROUP_ROWS,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], dt.datetime] = utc_now,
) -> CompactReport:
    """Put the small sealed files of each day together, about ``file_bytes`` in a file.

    Nobody sees old and new files side by side: they change places while nobody reads. Readers are waited for
    ``patience_s``; then the rest is left to the next time. Raises MaintenanceError while another compaction
    or pruning works, SegmentError when a file is not what was sealed, OSError.
    """
    with maintaining(workspace):
        removed, is_postponed = _tidy(workspace)
        records: list[Compaction] = []
        for inputs in _groups(sealed_state(Manifest(workspace).entries()), file_bytes, clock()):
            part, record = _merged(workspace, inputs, group_rows, clock())
            if workspace.origin_file.exists():
                put_file(workspace, part, record.file)
            with alone(workspace, patience_s) as is_alone:
                if is_alone:
                    _swap(workspace, part, record)
            if not is_alone:
                part.unlink()
                is_postponed = True
                break
            records.append(record)
            removed += record.inputs
        return CompactReport(records=tuple(records), removed_files=tuple(removed), is_postponed=is_postponed)


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


def _groups(state: SealedState, file_bytes: int, now: dt.datetime) -> Iterator[list[SealedFile]]:
    """Files of the same day that are to become one, oldest first."""
    today = f"{now.astimezone(dt.UTC):%Y-%m-%d}"
    for folder, files in groupby(sorted(state.current.values(), key=_place), key=_folder):
        of_day = list(files)
        small = [file for file in of_day if file.file_bytes * _SMALL < file_bytes]
        if folder.endswith(today):
            small = _of_like_size(small) if len(small) >= TODAY_FILES else []
        if len(small) > 1:
            yield from _shared_out(small, file_bytes)
        elif small:
            yield from _with_neighbour(small[0], of_day, file_bytes)


def _of_like_size(files: list[SealedFile]) -> list[SealedFile]:
    """Without files larger than all smaller ones together: no file is rewritten over and over in one day."""
    chosen: list[SealedFile] = []
    size = 0
    for file in sorted(files, key=lambda one: one.file_bytes):
        if len(chosen) >= TODAY_FILES and file.file_bytes > size:
            break
        chosen.append(file)
        size += file.file_bytes
    return sorted(chosen, key=_place)


def _with_neighbour(
    small: SealedFile, of_day: list[SealedFile], file_bytes: int
) -> Iterator[list[SealedFile]]:
    """The last small file of a day joins the smallest other one, where both fit."""
    others = sorted((file for file in of_day if file != small), key=lambda one: one.file_bytes)
    if others and (small.file_bytes + others[0].file_bytes) * _SMALL <= file_bytes * (_SMALL + 1):
        yield [small, others[0]]


def _shared_out(files: list[SealedFile], file_bytes: int) -> Iterator[list[SealedFile]]:
    """``files`` in as many groups as they need, of about the same size."""
    total = sum(file.file_bytes for file in files)
    share = total / -(-total // file_bytes)
    group: list[SealedFile] = []
    size = 0
    for file in files:
        if len(group) > 1 and size + file.file_bytes / 2 > share:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.file_bytes
    if len(group) > 1:
        yield group


def _place(file: SealedFile) -> tuple[str, str, str]:
    return _folder(file), file.min_recorded_at, file.file


def _folder(file: SealedFile) -> str:
    return file.file.partition("/")[0]


def _merged(
    workspace: Workspace, inputs: Sequence[SealedFile], group_rows: int, now: dt.datetime
) -> tuple[Path, Compaction]:
    """The new file under its working name, and the record that will list it."""
    names = "\n".join(file.file for file in inputs)
    stem = f"compacted-{sha256(names.encode()).hexdigest()[:16]}"  # a second try makes the same name
    part = workspace.lake_dir / f"{stem}{PART_SUFFIX}"
    count = merge(workspace.lake_dir, inputs, part, group_rows=group_rows)
    digest = file_sha256(part)
    if workspace.origin_file.exists():  # two machines may try, with other bytes: each its own name
        stem = f"{stem}.{digest[:16]}"
    record = Compaction(
        file=f"{_folder(inputs[0])}/{stem}.parquet",
        file_bytes=part.stat().st_size,
        file_sha256=digest,
        count=count,
        min_recorded_at=min(file.min_recorded_at for file in inputs),
        max_recorded_at=max(file.max_recorded_at for file in inputs),
        schema_version=SCHEMA_VERSION,
        inputs=tuple(file.file for file in inputs),
        stretches=merged(stretch for file in inputs for stretch in file.stretches),
        compacted_at=rfc3339(now),
    )
    return part, record


def _swap(workspace: Workspace, part: Path, record: Compaction) -> None:
    """Let the new file take the place of the old ones; while nobody reads."""
    stem = Path(record.file).stem
    marker = workspace.lake_dir / f"{stem}{MARKER_SUFFIX}"
    write_file(marker, record.file.encode())
    publish(part, workspace.lake_dir / record.file)
    sync_folder(workspace.lake_dir)
    Manifest(workspace).append([record])
    for name in record.inputs:
        (workspace.lake_dir / name).unlink(missing_ok=True)
    sync_folder((workspace.lake_dir / record.file).parent)
    marker.unlink()
    sync_folder(workspace.lake_dir)
