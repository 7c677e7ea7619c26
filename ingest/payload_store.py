"""The payload store: texts sealed by month in Parquet, found by their ids, and checked against them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.errors import PayloadLocked, SegmentError
from ingest.log.disk import make_folder, publish
from ingest.log.wal import WalName, insist_on_all, wal_names
from ingest.payload_keys import Keyring, keyring
from ingest.payload_struck import struck_ids, texts_kept
from ingest.payloads import Payload, PayloadReader, is_payload_id, is_proven, month_of, open_payload_dir
from ingest.workspace import Workspace

# A text is 1 kB to 20 kB; a group of this size is read in one go to find the texts of one run.
ROW_GROUP_ROWS = 4_000
_ROW_GROUP_CHARACTERS = 16 << 20
_TEXT_COLUMNS = ["payload_id", "salt", "content", "key_id"]
_SCHEMA = pa.schema(
    [
        pa.field("payload_id", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("subject_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("salt", pa.binary()),
        pa.field("content", pa.string()),
        pa.field("key_id", pa.string()),  # of the key that encrypted salt and content; null in the clear
    ]
)


def payload_writer(where: Path | IO[bytes]) -> pq.ParquetWriter:
    """A payload file in the making, with page checksums."""
    return pq.ParquetWriter(
        where,
        _SCHEMA,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=["run_id", "kind", "key_id"],
    )


def payload_table(payloads: Sequence[Payload]) -> pa.Table:
    """``payloads`` as rows of a payload file."""
    columns = [[getattr(payload, name) for payload in payloads] for name in _SCHEMA.names]
    return pa.table(columns, schema=_SCHEMA)


class _MonthFile:
    """The Parquet file of one month in the making."""

    def __init__(self, temporary: Path, final: Path) -> None:
        self.temporary = temporary
        self.final = final
        self._rows: list[Payload] = []
        self._characters = 0
        self._writer = payload_writer(temporary)

    def add(self, payload: Payload) -> None:
        self._rows.append(payload)
        self._characters += len(payload.content)
        if len(self._rows) >= ROW_GROUP_ROWS or self._characters >= _ROW_GROUP_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(payload_table(self._rows))
        self._rows, self._characters = [], 0

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


def seal_payloads(
    workspace: Workspace, reader: PayloadReader, name: WalName, *, is_recovered: bool = False
) -> int:
    """Seal the valid prefix of a payload line file, one Parquet file per month; returns the number of texts.

    Struck texts are left out. The line file itself stays. Sealing the same file again gives the same names.
    Raises OSError, and SegmentError when a living writer's own lines do not read back.
    """
    with texts_kept(workspace):
        files, count = _write_months(workspace, reader, name)
        if not is_recovered:
            insist_on_all(name, reader.valid_bytes, reader.size)
        for file in files:
            make_folder(file.final.parent)
            publish(file.temporary, file.final)  # the old name may come back: recovery sweeps it
        return count


def _write_months(workspace: Workspace, reader: PayloadReader, name: WalName) -> tuple[list[_MonthFile], int]:
    struck = struck_ids(workspace)
    count = 0
    files: dict[str, _MonthFile] = {}
    with ExitStack() as stack:
        for block in reader.blocks():
            for payload in block:
                if payload.payload_id in struck:
                    continue
                if payload.month not in files:
                    files[payload.month] = _month_file(workspace, name, payload.month)
                    stack.callback(files[payload.month].close)
                files[payload.month].add(payload)
            count += len(block)
    return list(files.values()), count


def _month_file(workspace: Workspace, name: WalName, month: str) -> _MonthFile:
    stem = f"{name.writer_id}-{name.first_seq}"
    return _MonthFile(
        workspace.payload_dir / f"{stem}.{month}.parquet.tmp",
        workspace.payload_dir / f"month={month}" / f"{stem}.parquet",
    )


def read_texts(workspace: Workspace, payload_ids: Iterable[str]) -> dict[str, str | None]:
    """The text of each payload id, in the order asked; None when it is erased or was never kept.

    Reads the sealed files of the ids' months and the durable lines of open writers. Raises SegmentError
    when a text does not have the commitment that its id states, PayloadLocked when the key of one is not at
    hand, KeyUnusable.
    """
    found: dict[str, str | None] = dict.fromkeys(payload_ids)
    wanted = {payload_id for payload_id in found if is_payload_id(payload_id)}
    if not wanted:
        return found
    ring = keyring()
    locked: set[str] = set()
    for row in _stored_rows(workspace, wanted):
        if row.key_id is not None and row.key_id not in ring.keys:
            locked.add(row.key_id)
        else:
            found[row.payload_id] = _proven(row, ring)
    if locked:
        raise PayloadLocked(frozenset(locked))
    return found


class StoredRow(NamedTuple):
    """One text as it is stored; salt and content are encrypted when there is a ``key_id``."""

    payload_id: str
    salt: bytes
    content: str
    key_id: str | None


def _stored_rows(workspace: Workspace, wanted: set[str]) -> Iterator[StoredRow]:
    # Open files first: a file that is sealed meanwhile is then found by the second look.
    for payload in _open_payloads(workspace, wanted):
        yield _row(payload)
    for month in sorted({month_of(payload_id) for payload_id in wanted}):
        for path in sorted((workspace.payload_dir / f"month={month}").glob("*.parquet")):
            with suppress(FileNotFoundError):  # every text in it was erased since the folder was listed
                yield from _sealed_rows(path, wanted)


def stored_whole(workspace: Workspace, payload_ids: set[str]) -> Iterator[Payload]:
    """Those of ``payload_ids`` that are in the store, each once, as they are stored. Raises OSError."""
    missing = set(payload_ids)
    for payload in _open_payloads(workspace, missing):
        if payload.payload_id in missing:
            missing.discard(payload.payload_id)
            yield payload
    for month in sorted({month_of(payload_id) for payload_id in missing}):
        for path in sorted((workspace.payload_dir / f"month={month}").glob("*.parquet")):
            with suppress(FileNotFoundError):
                for row in _whole_rows(path, missing):
                    missing.discard(row["payload_id"])
                    yield Payload(**row, month=month)


def _whole_rows(path: Path, wanted: set[str]) -> list[dict[str, Any]]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        ids = file.read(columns=["payload_id"])["payload_id"]
        hits = pc.is_in(ids, value_set=pa.array(sorted(wanted), pa.string()))
        rows: list[dict[str, Any]] = file.read().filter(hits).to_pylist() if pc.any(hits).as_py() else []
        return rows


def _row(payload: Payload) -> StoredRow:
    return StoredRow(payload.payload_id, payload.salt, payload.content, payload.key_id)


def _open_payloads(workspace: Workspace, wanted: set[str]) -> Iterator[Payload]:
    wanted = wanted - struck_ids(workspace)
    for _, block in open_blocks(workspace):
        yield from (payload for payload in block if payload.payload_id in wanted)


def open_blocks(workspace: Workspace) -> Iterator[tuple[Path, list[Payload]]]:
    """The texts that are not sealed yet, block by block with their file; struck ones are among them."""
    for name in wal_names(open_payload_dir(workspace)):
        path = name.path(open_payload_dir(workspace))
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # sealed since the folder was listed
        try:
            for block in PayloadReader(fd, os.fstat(fd).st_size).blocks():
                yield path, block
        finally:
            os.close(fd)


@dataclass(frozen=True, kw_only=True)
class StoredBlock:
    """Some texts of one file (a path below payloads/), decrypted where the key is at hand.

    ``rows`` are payload id, salt and text, ``locked`` payload id and key id of texts whose key is not at
    hand, ``changed`` payload ids whose ciphertext is not what the key wrote.
    """

    file: str
    rows: list[tuple[str, bytes, str]] = field(default_factory=list)
    locked: list[tuple[str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def _block(file: str, rows: Iterable[StoredRow], ring: Keyring) -> StoredBlock:
    block = StoredBlock(file=file)
    for payload_id, salt, content, key_id in rows:
        if key_id is None:
            block.rows.append((payload_id, salt, content))
        elif key_id not in ring.keys:
            block.locked.append((payload_id, key_id))
        else:
            opened = ring.opened(payload_id, key_id, content)
            if opened is None:
                block.changed.append(payload_id)
            else:
                block.rows.append((payload_id, *opened))
    return block


@dataclass(frozen=True, kw_only=True)
class StoreDamage:
    """A file of the payload store that cannot be read."""

    file: str
    detail: str


def stored_payloads(workspace: Workspace) -> Iterator[StoredBlock | StoreDamage]:
    """Everything in the payload store, block by block; a text that is just being sealed may come twice.

    Struck texts in open files count as gone. Raises KeyUnusable, and PermissionError.
    """
    struck, ring = struck_ids(workspace), keyring()
    for path, block in open_blocks(workspace):
        rows = [_row(payload) for payload in block if payload.payload_id not in struck]
        yield _block(path.relative_to(workspace.payload_dir).as_posix(), rows, ring)
    for path in sorted(workspace.payload_dir.glob("month=*/*.parquet")):
        file = path.relative_to(workspace.payload_dir).as_posix()
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                for group in range(parquet.num_row_groups):
                    rows = text_rows(parquet.read_row_group(group, columns=_TEXT_COLUMNS))
                    yield _block(file, rows, ring)
        except PermissionError:
            raise
        except (OSError, pa.ArrowException, KeyError) as error:
            yield StoreDamage(file=file, detail=str(error))


@dataclass(frozen=True, kw_only=True)
class StoredText:
    """Where one text stands, without the text: its id, what it belongs to, and whether its file is open."""

    payload_id: str
    run_id: str | None
    subject_id: str | None
    kind: str
    is_open: bool


def stored_texts(workspace: Workspace) -> list[StoredText]:
    """Every text of the store. Raises OSError, and ArrowException for a damaged file."""
    found = [
        StoredText(
            payload_id=payload.payload_id,
            run_id=payload.run_id,
            subject_id=payload.subject_id,
            kind=payload.kind,
            is_open=True,
        )
        for _, block in open_blocks(workspace)
        for payload in block
    ]
    names = ["payload_id", "run_id", "subject_id", "kind"]
    for path in sorted(workspace.payload_dir.glob("month=*/*.parquet")):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = file.read(columns=names).to_pylist()
        found += [StoredText(**row, is_open=False) for row in rows]
    return found


def text_rows(table: pa.Table) -> list[StoredRow]:
    """The rows of a payload file's ``table``; files of older releases have no ``key_id``."""
    has_keys = "key_id" in table.column_names
    key_ids = table["key_id"].to_pylist() if has_keys else [None] * table.num_rows
    columns = (table[name].to_pylist() for name in _TEXT_COLUMNS[:3])
    return [StoredRow(*row) for row in zip(*columns, key_ids, strict=True)]


def _sealed_rows(path: Path, wanted: set[str]) -> Iterator[StoredRow]:
    ids = pa.array(sorted(wanted), pa.string())
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, columns=["payload_id"])["payload_id"]
            hits = pc.is_in(column, value_set=ids)
            if pc.any(hits).as_py():
                yield from text_rows(file.read_row_group(group, columns=_TEXT_COLUMNS).filter(hits))


def _proven(row: StoredRow, ring: Keyring) -> str:
    opened = (row.salt, row.content)
    if row.key_id is not None:
        opened = ring.opened(row.payload_id, row.key_id, row.content) or (b"", "")
    if not is_proven(row.payload_id, *opened):
        raise SegmentError(
            f"Payload changed: the text of {row.payload_id} does not have the commitment that the log holds. "
            "Run `fleetbook verify --level 2` and restore the payload file from a backup."
        )
    return opened[1]
