"""The reader: the log as files for the warehouse, and the few questions that are asked of it directly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import Value, parse_body
from ingest.errors import SegmentError
from ingest.log.disk import file_sha256
from ingest.log.lake import SealedFile, last_pruned
from ingest.log.merkle import tree_root
from ingest.log.recover import recover
from ingest.log.segments import ROW_GROUP_ROWS, event_table, write_rows
from ingest.log.view import View, look, open_chunks
from ingest.log.wal import Chunk
from ingest.payload_store import read_texts
from ingest.shared.whole import furthest, own_beyond
from ingest.workspace import Workspace


class TreeHead(NamedTuple):
    """The manifest's Merkle tree at one moment: its number of lines and its root in hex."""

    size: int
    root: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The log at one moment, as Parquet files with the contract's schema.

    ``files`` are the sealed files and one file of the events that are not sealed yet (zero rows when
    there are none); ``events`` is the number of rows in all of them; ``state`` names these events
    as :func:`log_state` does.
    """

    files: list[Path]
    events: int
    checkpoint: TreeHead
    state: str


def snapshot(workspace: Workspace, target_dir: Path) -> Snapshot:
    """One consistent list of files with every durable event, once each.

    Dead writers are recovered first; the durable part of living ones is written to
    ``target_dir/open-0.parquet``; sealed files are named, not copied, and each is compared with the digest
    in the manifest, because DuckDB does not see flipped bits. Of several machines' logs it is the copy of
    their record, and what this machine has not shipped. Raises SegmentError, OSError, WriterError.
    """
    recover(workspace)
    target_dir.mkdir(parents=True, exist_ok=True)
    tail = target_dir / "open-0.parquet"
    with look(workspace.record) as view:
        files = [_intact(workspace.record, file) for file in view.sealed.files]
        written = write_rows(tail, _not_sealed(workspace, view))
        return Snapshot(
            files=[*files, tail],
            events=sum(file.count for file in view.sealed.files) + written.row_count,
            checkpoint=TreeHead(len(view.lines), tree_root(view.lines).hex()),
            state=_state(workspace, view),
        )


def _not_sealed(workspace: Workspace, view: View) -> Iterator[Chunk]:
    """Events that no file of the log, whose ``view`` this is, holds."""
    for _, chunk in open_chunks(view, ROW_GROUP_ROWS):
        yield chunk
    for piece in own_beyond(workspace, view.segments):
        yield piece.chunk


def log_state(workspace: Workspace) -> str:
    """A digest that changes when events come or go, without reading any: the heads of what is sealed, the
    length of what is open, and what was deleted on record. Compaction, which moves events, leaves it.

    Raises SegmentError for a damaged manifest, OSError.
    """
    with look(workspace.record) as view:
        return _state(workspace, view)


def _state(workspace: Workspace, view: View) -> str:
    if workspace.record == workspace:
        sealed = sorted(f"sealed {one.writer_id} {one.last_seq} {one.head}" for one in view.segments)
    else:  # shipping moves events, as compaction does: only how far each writer is counts
        heads = furthest(workspace, view.segments)
        sealed = sorted(f"sealed {writer_id} {one.seq} {one.head}" for writer_id, one in heads.items())
    still_open = [f"open {one.name.writer_id} {one.name.first_seq} {one.size}" for one in view.open_files]
    deleted = sorted(f"deleted {writer} {seq}" for writer, seq in last_pruned(view.sealed).items())
    return hashlib.sha256("\n".join([*sealed, *still_open, *deleted]).encode()).hexdigest()


def _intact(workspace: Workspace, file: SealedFile) -> Path:
    path = workspace.lake_dir / file.file
    try:
        digest = file_sha256(path)
    except FileNotFoundError:
        digest = ""
    if digest != file.file_sha256:
        state = "differs from what was sealed" if digest else "is missing"
        raise SegmentError(
            f"Segment damaged: {path} {state}. Run `fleetbook verify` to see which events are concerned, "
            "and restore the file from a backup."
        )
    return path


def event_ids(workspace: Workspace, *, recorded_via: str) -> set[str]:
    """Ids of all events that came in by ``recorded_via``, sealed or not; importers skip what is there."""
    found: set[str] = set()
    for table in rows_where(workspace, ["event_id", "recorded_via"], "recorded_via", recorded_via):
        found.update(table["event_id"].to_pylist())
    return found


def run_events(workspace: Workspace, run_id: str) -> list[dict[str, Value]]:
    """All events of one run, sealed or not, by time and position in the log; each id once."""
    bodies: list[str] = []
    for table in rows_where(workspace, ["body", "run_id"], "run_id", run_id):
        bodies += table["body"].to_pylist()
    events = {str(event["event_id"]): event for event in map(parse_body, bodies)}
    return sorted(events.values(), key=lambda event: (event["occurred_at"], event["writer_id"], event["seq"]))


def payload_texts(workspace: Workspace, payload_ids: Iterable[str]) -> dict[str, str | None]:
    """The text of each payload; None when it was erased or never kept.

    Raises SegmentError when a text does not have the commitment that the log holds.
    """
    found = read_texts(workspace.record, payload_ids)
    absent = [payload_id for payload_id, text in found.items() if text is None]
    return (
        found if workspace.record == workspace or not absent else {**found, **read_texts(workspace, absent)}
    )


def rows_where(workspace: Workspace, columns: list[str], key: str, wanted: str) -> Iterator[pa.Table]:
    """``columns`` (``key`` among them) of all events, sealed or not, whose ``key`` is ``wanted``."""
    for table in _tables(workspace, columns, key, wanted):
        yield table.filter(pc.equal(table[key], pa.scalar(wanted)))


def _tables(workspace: Workspace, columns: list[str], key: str, wanted: str) -> Iterator[pa.Table]:
    """Tables with ``columns`` that may hold rows whose ``key`` is ``wanted``; others are not read."""
    with look(workspace.record) as view:
        for file in view.sealed.files:
            yield from _row_groups(workspace.record.lake_dir / file.file, columns, key, wanted)
        for chunk in _not_sealed(workspace, view):
            yield event_table(chunk).select(columns)


def _row_groups(path: Path, columns: list[str], key: str, wanted: str) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        position = file.schema_arrow.get_field_index(key)
        for group in range(file.num_row_groups):
            statistics = file.metadata.row_group(group).column(position).statistics
            if (
                statistics is not None
                and statistics.has_min_max
                and not statistics.min <= wanted <= statistics.max
            ):
                continue
            # The key column first, alone: most groups that may hold the value do not.
            keys = file.read_row_group(group, columns=[key])[key]
            if pc.any(pc.equal(keys, pa.scalar(wanted))).as_py():
                yield file.read_row_group(group, columns=columns)
