"""The rows of one chain, checked: every body hashed again, every typed column compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import arrow_schema
from ingest.errors import SegmentError
from ingest.log.findings import Finding, event_name
from ingest.log.segments import parse_bodies
from ingest.log.taken_in import TakenIn
from ingest.log.wal import EVENT_LABEL, next_head

# A changed file can differ in every row; the first of each kind are named, the rest counted.
NAMED_PER_KIND = 20
_LOG_EVENTS = pa.array(["writer_opened", "writer_closed", "log_recovered", "payload_erased", "clock_set"])
_LOG_COLUMNS = [
    "event_type",
    "writer_id",
    "seq",
    "declared_count",
    "recovered_writer_id",
    "payload_id",
    "run_id",
    "reason",
]
PAYLOAD_COLUMNS = ["event_id", "payload_id", "payload_commit", "run_id", "writer_id", "seq", "recorded_at"]


@dataclass(frozen=True, kw_only=True)
class LogEvent:
    """An event about the log itself, as far as a verification needs it."""

    event_type: str
    writer_id: str
    seq: int
    declared_count: int | None
    recovered_writer_id: str | None
    payload_id: str | None
    run_id: str | None
    reason: str | None


@dataclass
class ChainCheck:
    """The state of checking one stretch of a chain: where it stands, and what was found."""

    writer_id: str
    next_seq: int
    head: str  # in hex
    wanted_heads: dict[int, str] = field(default_factory=dict)  # seq → chain value that somebody noted
    count: int = 0
    is_unread: bool = False  # its file is missing or cannot be read, which is a finding of its own
    findings: list[Finding] = field(default_factory=list)
    log_events: list[LogEvent] = field(default_factory=list)
    payloads: list[pa.Table] = field(default_factory=list)
    taken_in: TakenIn | None = None  # counts what was recorded before a moment, where somebody asks
    _found: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, what: str, detail: str) -> None:
        """Add a finding; beyond the first NAMED_PER_KIND of a kind they are only counted."""
        self._found[code] = self._found.get(code, 0) + 1
        if self._found[code] <= NAMED_PER_KIND:
            self.findings.append(Finding(code=code, object=what, detail=detail))

    def finish(self, what: str) -> None:
        """Say how many findings were not named one by one."""
        for code, number in self._found.items():
            if number > NAMED_PER_KIND:
                detail = f"and {number - NAMED_PER_KIND} more of this kind"
                self.findings.append(Finding(code=code, object=what, detail=detail))

    def check(self, table: pa.Table) -> None:
        """Check the next rows, in the schema of the contract."""
        bodies = pc.fill_null(table["body"], "").cast(pa.binary()).to_pylist()
        hashes = pc.fill_null(table["hash"], "").to_pylist()
        self._check_chain(table, bodies, hashes)
        self._check_positions(table)
        self.check_columns(table, bodies)
        self._check_heads(table, hashes)
        self.collect(table)

    def collect(self, table: pa.Table) -> None:
        """Keep what the whole verification needs of these rows, and count them."""
        self.count += table.num_rows
        if self.taken_in is not None:
            self.taken_in.add(table)
        is_log = pc.is_in(table["event_type"], value_set=_LOG_EVENTS)
        if pc.any(is_log).as_py():
            self.log_events += [
                LogEvent(**row) for row in table.filter(is_log).select(_LOG_COLUMNS).to_pylist()
            ]
        has_payload = pc.is_valid(table["payload_commit"])
        if pc.any(has_payload).as_py():
            self.payloads.append(table.filter(has_payload).select(PAYLOAD_COLUMNS))

    def _check_chain(self, table: pa.Table, bodies: list[bytes], hashes: list[str]) -> None:
        head = bytes.fromhex(self.head)
        heads: list[bytes] = []
        for body in bodies:
            head = sha256(EVENT_LABEL + head + body).digest()
            heads.append(head)
        if joined_hex(heads) == "\n".join(hashes):
            self.head = head.hex()
        else:
            self._name_broken(table, bodies, hashes)

    def _name_broken(self, table: pa.Table, bodies: list[bytes], hashes: list[str]) -> None:
        head = bytes.fromhex(self.head)
        for row, (body, stored) in enumerate(zip(bodies, hashes, strict=True)):
            found = next_head(head, body).hex()
            if found != stored:
                detail = f"its chain value is {found[:16]}…, not {stored[:16]}…"
                self.add("chain_broken", _name(table, row), detail)
            # Go on from what is stored: then only the rows that were touched are named.
            head = _bytes_of(stored)
        self.head = head.hex()

    def _check_positions(self, table: pa.Table) -> None:
        expected = pa.array(range(self.next_seq, self.next_seq + table.num_rows), pa.int64())
        if table["seq"].combine_chunks().equals(expected):
            self.next_seq += table.num_rows
        else:
            for row, seq in enumerate(table["seq"].to_pylist()):
                self._check_position(table, row, -1 if seq is None else seq)
        for row in _rows(pc.not_equal(table["writer_id"], pa.scalar(self.writer_id))):
            self.add(
                "columns_differ", _name(table, row), f"it stands in the chain of writer {self.writer_id}"
            )

    def _check_position(self, table: pa.Table, row: int, seq: int) -> None:
        if seq > self.next_seq:
            self.add(
                "seq_gap", f"writer {self.writer_id}", f"events {self.next_seq} to {seq - 1} are missing"
            )
        elif seq < self.next_seq:
            self.add("seq_duplicate", _name(table, row), f"seq {seq} comes after seq {self.next_seq - 1}")
        self.next_seq = max(seq + 1, self.next_seq)

    def check_columns(self, table: pa.Table, bodies: list[bytes]) -> None:
        """Compare the columns in use with the bodies; a body that carries more than those does not parse."""
        contract = [field for field in arrow_schema() if field.name not in ("body", "hash")]
        used = pa.schema([field for field in contract if table[field.name].null_count < table.num_rows])
        try:
            said = parse_bodies(bodies, used)
        except SegmentError:
            try:
                said = parse_bodies(bodies, pa.schema(contract))
            except SegmentError:
                self._name_unreadable(table, bodies, pa.schema(contract))
                return
        for column in said.column_names:
            if not table[column].equals(said[column]):
                for row in _differing_rows(table[column], said[column]):
                    beside, meant = table[column][row].as_py(), said[column][row].as_py()
                    detail = f"{column} is {beside!r}, the body says {meant!r}"
                    self.add("columns_differ", _name(table, row), detail)

    def _name_unreadable(self, table: pa.Table, bodies: list[bytes], contract: pa.Schema) -> None:
        for row, body in enumerate(bodies):
            try:
                parse_bodies([body], contract)
            except SegmentError as error:
                self.add("body_unreadable", _name(table, row), str(error.__cause__ or error))

    def _check_heads(self, table: pa.Table, hashes: list[str]) -> None:
        first = self.next_seq - table.num_rows
        for seq, head in self.wanted_heads.items():
            if first <= seq < self.next_seq and hashes[seq - first] != head:
                self.add("head_differs", _name(table, seq - first), f"its head was noted as {head[:16]}…")


def joined_hex(heads: Sequence[bytes]) -> str:
    """Chain values in hex, one per line: where one ends counts, too."""
    return b"".join(heads).hex("\n", -32)


def _name(table: pa.Table, row: int) -> str:
    seq = table["seq"][row].as_py()
    writer_id = table["writer_id"][row].as_py()
    return event_name(str(table["event_id"][row].as_py() or ""), str(writer_id), -1 if seq is None else seq)


def _bytes_of(stored: str) -> bytes:
    try:
        return bytes.fromhex(stored)
    except ValueError:
        return b""


def _rows(mask: pa.ChunkedArray) -> Iterator[int]:
    yield from pc.indices_nonzero(pc.fill_null(mask, True)).to_pylist()


def _differing_rows(left: pa.ChunkedArray, right: pa.ChunkedArray) -> Iterator[int]:
    """Rows in which two columns differ; null equals null."""
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    yield from _rows(pc.and_not(pc.fill_null(pc.not_equal(left, right), True), both_null))
