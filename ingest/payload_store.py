"""The payload store: texts sealed by month in Parquet, found by their ids, and checked against them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.errors import SegmentError
from ingest.log.disk import make_folder, publish, sync_folder
from ingest.log.wal import WalName, insist_on_all, wal_names
from ingest.payload_struck import struck_ids, texts_kept
from ingest.payloads import Payload, PayloadReader, is_payload_id, is_proven, month_of, open_payload_dir
from ingest.workspace import Workspace

# A text is 1 kB to 20 kB; a group of this size is read in one go to find the texts of one run.
ROW_GROUP_ROWS = 4_000
_ROW_GROUP_CHARACTERS = 16 << 20
_TEXT_COLUMNS = ["payload_id", "salt", "content"]
_SCHEMA = pa.schema(
    [
        pa.field("payload_id", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("subject_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("salt", pa.binary()),
        pa.field("content", pa.string()),
    ]
)


class _MonthFile:
    """The Parquet file of one month in the making."""

    def __init__(self, temporary: Path, final: Path) -> None:
        self.temporary = temporary
        self.final = final
        self._rows: list[Payload] = []
        self._characters = 0
        self._writer = pq.ParquetWriter(
            temporary,
            _SCHEMA,
            compression="zstd",
            write_page_checksum=True,
            use_dictionary=["run_id", "kind"],
        )

    def add(self, payload: Payload) -> None:
        self._rows.append(payload)
        self._characters += len(payload.content)
        if len(self._rows) >= ROW_GROUP_ROWS or self._characters >= _ROW_GROUP_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        columns = [[getattr(row, field.name) for row in self._rows] for field in _SCHEMA]
        self._writer.write_table(pa.table(columns, schema=_SCHEMA))
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
            publish(file.temporary, file.final)
        sync_folder(workspace.payload_dir)
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
    when a text does not have the commitment that its id states.
    """
    found: dict[str, str | None] = dict.fromkeys(payload_ids)
    wanted = {payload_id for payload_id in found if is_payload_id(payload_id)}
    if not wanted:
        return found
    # Open files first: a file that is sealed meanwhile is then found by the second look.
    for payload in _open_payloads(workspace, wanted):
        found[payload.payload_id] = _proven(payload.payload_id, payload.salt, payload.content)
    for month in sorted({month_of(payload_id) for payload_id in wanted}):
        for path in sorted((workspace.payload_dir / f"month={month}").glob("*.parquet")):
            with suppress(FileNotFoundError):  # every text in it was erased since the folder was listed
                for payload_id, salt, content in _sealed_payloads(path, wanted):
                    found[payload_id] = _proven(payload_id, salt, content)
    return found


def _open_payloads(workspace: Workspace, wanted: set[str]) -> Iterator[Payload]:
    wanted = wanted - struck_ids(workspace)
    for _, block in _open_blocks(workspace):
        yield from (payload for payload in block if payload.payload_id in wanted)


def _open_blocks(workspace: Workspace) -> Iterator[tuple[Path, list[Payload]]]:
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
    """Some texts of one file (a path below payloads/): payload id, salt, content."""

    file: str
    rows: list[tuple[str, bytes, str]]


@dataclass(frozen=True, kw_only=True)
class StoreDamage:
    """A file of the payload store that cannot be read."""

    file: str
    detail: str


def stored_payloads(workspace: Workspace) -> Iterator[StoredBlock | StoreDamage]:
    """Everything in the payload store, block by block; a text that is just being sealed may come twice.

    Struck texts in open files count as gone.
    """
    struck = struck_ids(workspace)
    for path, block in _open_blocks(workspace):
        rows = [
            (payload.payload_id, payload.salt, payload.content)
            for payload in block
            if payload.payload_id not in struck
        ]
        yield StoredBlock(file=path.relative_to(workspace.payload_dir).as_posix(), rows=rows)
    for path in sorted(workspace.payload_dir.glob("month=*/*.parquet")):
        file = path.relative_to(workspace.payload_dir).as_posix()
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                for group in range(parquet.num_row_groups):
                    table = parquet.read_row_group(group, columns=_TEXT_COLUMNS)
                    yield StoredBlock(file=file, rows=_text_rows(table))
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
        for _, block in _open_blocks(workspace)
        for payload in block
    ]
    names = ["payload_id", "run_id", "subject_id", "kind"]
    for path in sorted(workspace.payload_dir.glob("month=*/*.parquet")):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = file.read(columns=names).to_pylist()
        found += [StoredText(**row, is_open=False) for row in rows]
    return found


def _text_rows(table: pa.Table) -> list[tuple[str, bytes, str]]:
    return list(zip(*(table[name].to_pylist() for name in _TEXT_COLUMNS), strict=True))


def _sealed_payloads(path: Path, wanted: set[str]) -> Iterator[tuple[str, bytes, str]]:
    ids = pa.array(sorted(wanted), pa.string())
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, columns=["payload_id"])["payload_id"]
            hits = pc.is_in(column, value_set=ids)
            if not pc.any(hits).as_py():
                continue
            rows = file.read_row_group(group, columns=["payload_id", "salt", "content"]).filter(hits)
            yield from zip(
                *(rows[name].to_pylist() for name in ("payload_id", "salt", "content")), strict=True
            )


def _proven(payload_id: str, salt: bytes, content: str) -> str:
    if not is_proven(payload_id, salt, content):
        raise SegmentError(
            f"Payload changed: the text of {payload_id} does not have the commitment that the log holds. "
            "Run `fleetbook verify --level 2` and restore the payload file from a backup."
        )
    return content
