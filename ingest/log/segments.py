"""Segments: sealed Parquet files with typed columns, canonical body and chain value of each event."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from ingest.contract import SCHEMA_VERSION, arrow_schema, rfc3339
from ingest.errors import SegmentError
from ingest.event_fields import ENVELOPE_NAMES
from ingest.events import TYPE_BY_NAME
from ingest.log.disk import file_sha256, make_folder, publish
from ingest.log.manifest import Manifest, Segment
from ingest.log.wal import ChainReader, Chunk, WalName, insist_on_all
from ingest.workspace import Workspace

# About 64k rows are 40 MB of bodies: memory stays flat, and one run is found in one row group.
ROW_GROUP_ROWS = 64_000
_EVENT_TYPE = re.compile(rb'"event_type":"([a-z_]+)"')
_JSON_BLOCK_BYTES = 4 << 20


@lru_cache(maxsize=64)
def _columns_of(event_types: frozenset[str]) -> pa.Schema:
    """The columns that events of these types can carry; parsing only these is three times faster."""
    names = set(ENVELOPE_NAMES)
    for event_type in event_types & TYPE_BY_NAME.keys():
        names.update(TYPE_BY_NAME[event_type].required, TYPE_BY_NAME[event_type].optional)
    return pa.schema([field for field in arrow_schema() if field.name in names])


def parse_bodies(bodies: list[bytes], columns: pa.Schema) -> pa.Table:
    """What canonical ``bodies`` say, as a table of ``columns``.

    Raises SegmentError when a body is no JSON object, or carries another column or another type.
    """
    content = b"\n".join(bodies)
    options = pj.ParseOptions(explicit_schema=columns, unexpected_field_behavior="error")
    reading = pj.ReadOptions(block_size=max(_JSON_BLOCK_BYTES, 2 * max(map(len, bodies))))
    try:
        parsed = pj.read_json(pa.BufferReader(content), read_options=reading, parse_options=options)
    except pa.ArrowInvalid as error:
        raise SegmentError(
            f"Events unreadable: a body is no event of the contract ({error}). {_ADVICE}"
        ) from error
    if parsed.num_rows != len(bodies):
        raise SegmentError(
            f"Events unreadable: {len(bodies)} bodies hold {parsed.num_rows} objects. {_ADVICE}"
        )
    return parsed.select(columns.names)


_ADVICE = "Run `fleetbook verify`; if a newer release wrote the log, update Fleetbook, else restore a backup."


def event_table(chunk: Chunk) -> pa.Table:
    """The rows of ``chunk`` in the contract's schema. Raises SegmentError when a body is no event of it."""
    schema = arrow_schema()
    # The first is the one: in a text its quotes would be escaped.
    found = {match[1] for body in chunk.bodies if (match := _EVENT_TYPE.search(body))}
    parsed = parse_bodies(chunk.bodies, _columns_of(frozenset(name.decode() for name in found)))
    made = dict(zip(parsed.column_names, parsed.columns, strict=True))
    made["body"] = pa.array(chunk.bodies, pa.string())
    made["hash"] = pa.array(chunk.hashes, pa.string())
    absent = len(chunk.bodies)
    return pa.table([made.get(field.name, pa.nulls(absent, field.type)) for field in schema], schema=schema)


def widened(table: pa.Table) -> pa.Table:
    """``table`` with the columns that the contract got after its file was sealed, all null.

    Raises SegmentError when a column is unknown to this release, of another type, or there twice.
    """
    schema = arrow_schema()
    present = set(table.column_names)
    if len(present) < table.num_columns:
        raise SegmentError(
            "Segment unreadable: it has two columns of one name, which no release writes. "
            "Restore the file from a backup."
        )
    for field in table.schema:
        if field.name not in schema.names or schema.field(field.name).type != field.type:
            raise SegmentError(
                f"Segment unreadable: column {field.name} ({field.type}) is not in this release's contract. "
                "If a newer release wrote it, update Fleetbook; otherwise restore the file from a backup."
            )
    return pa.table(
        [
            table[field.name] if field.name in present else pa.nulls(table.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


class SegmentFile:
    """A Parquet file in the making, with page checksums: row groups are added, then it is closed."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(
            path, arrow_schema(), compression="zstd", write_page_checksum=True, version="2.6"
        )
        self.row_count = 0
        self.min_recorded_at: dt.datetime | None = None
        self.max_recorded_at: dt.datetime | None = None

    def add(self, table: pa.Table) -> None:
        """Add ``table`` as a row group. Raises OSError."""
        self._writer.write_table(table, row_group_size=2 * ROW_GROUP_ROWS)
        self.row_count += table.num_rows
        span = pc.min_max(table["recorded_at"])
        least, most = span["min"].as_py(), span["max"].as_py()
        if least is not None:
            self.min_recorded_at = min(self.min_recorded_at or least, least)
            self.max_recorded_at = max(self.max_recorded_at or most, most)

    def close(self) -> None:
        """Write the footer. Raises OSError."""
        self._writer.close()


def write_rows(path: Path, chunks: Iterable[Chunk]) -> SegmentFile:
    """Write ``chunks`` to ``path`` in the contract's schema; no chunks make zero rows. Raises OSError."""
    file = SegmentFile(path)
    try:
        for chunk in chunks:
            file.add(event_table(chunk))
    finally:
        file.close()
    return file


def seal(
    workspace: Workspace,
    reader: ChainReader,
    *,
    writer_id: str,
    sealed_at: dt.datetime,
    is_recovered: bool = False,
) -> Segment | None:
    """Seal the valid prefix of a line file: Parquet, fsync, rename, fsync of the folder, manifest line.

    The line file itself stays; removing it is the caller's last step. None when there is no valid line.
    Raises OSError and SegmentError.
    """
    first_seq, prev_head = reader.next_seq, reader.head.hex()
    temporary = workspace.lake_dir / f"{writer_id}-{first_seq}.parquet.tmp"
    make_folder(workspace.lake_dir)
    file = write_rows(temporary, reader.chunks(ROW_GROUP_ROWS))
    if not file.row_count or file.min_recorded_at is None or file.max_recorded_at is None:
        temporary.unlink()
        return None
    if not is_recovered:
        insist_on_all(WalName(writer_id=writer_id, first_seq=first_seq), reader.valid_bytes, reader.size)
    last_seq = reader.next_seq - 1
    name = f"recorded_date={file.min_recorded_at:%Y-%m-%d}/{writer_id}-{first_seq}-{last_seq}.parquet"
    final = workspace.lake_dir / name
    make_folder(final.parent)
    digest, size = file_sha256(temporary), temporary.stat().st_size
    publish(temporary, final)  # the old name may come back after a power cut: recovery sweeps it
    segment = Segment(
        writer_id=writer_id,
        first_seq=first_seq,
        last_seq=last_seq,
        count=file.row_count,
        prev_head=prev_head,
        head=reader.head.hex(),
        min_recorded_at=rfc3339(file.min_recorded_at),
        max_recorded_at=rfc3339(file.max_recorded_at),
        file=name,
        file_bytes=size,
        file_sha256=digest,
        schema_version=SCHEMA_VERSION,
        is_recovered=is_recovered,
        torn_bytes=reader.size - reader.valid_bytes,
        sealed_at=rfc3339(sealed_at),
    )
    Manifest(workspace).append([segment])
    return segment
