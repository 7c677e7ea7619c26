"""The writer: one hash chain per process; what ``append`` acknowledged is on the device.

Threads share one ``fdatasync``: whoever comes first writes for all that wait. An error while writing
poisons the writer, because after a failed fsync nothing on the file can be trusted; nothing is retried.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import threading
import weakref
from binascii import hexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from ingest.contract import Value, new_event_id
from ingest.encoder import CheckedEvent, check, encode, is_placed
from ingest.errors import ContractError, IngestError, WriterError
from ingest.log.clock import ClockWatch, utc_now
from ingest.log.disk import make_folder
from ingest.log.queue import SealQueue
from ingest.log.wal import LineFile, WalName, first_head, next_head
from ingest.masker import mask_event
from ingest.payload_keys import TextSealer
from ingest.payloads import Payload, make_payload, open_payload_dir, payload_line
from ingest.workspace import Workspace

__all__ = ["LogWriter", "Payload", "Receipt", "make_payload", "utc_now"]

DEFAULT_SEAL_BYTES = 64 << 20  # about 100,000 events, one Parquet file of 10 MB


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Proof of an append: the writer, its first and last event's numbers, and the chain value there (hex)."""

    writer_id: str
    first_seq: int
    last_seq: int
    head: str


_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass
class _Chain:
    """Where the chain of a process stands; everything here is guarded by the writer's lock."""

    writer_id: str
    head: bytes
    next_seq: int = 0
    durable_seq: int = -1
    last_recorded_at: dt.datetime = _LONG_AGO
    lines: list[bytes] = field(default_factory=list)
    payload_lines: list[bytes] = field(default_factory=list)
    payload_count: int = 0
    wal: LineFile | None = None
    payload_wal: LineFile | None = None
    is_flushing: bool = False
    is_closing: bool = False
    failure: str | None = None


def _new_chain(now: dt.datetime) -> _Chain:
    writer_id = f"w{now.astimezone(dt.UTC):%Y%m%d%H%M%S}-{secrets.token_hex(8)}"
    return _Chain(writer_id=writer_id, head=first_head(writer_id))


def _call_if_alive(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    bound = method()
    if bound is not None:
        bound()


class LogWriter:
    """The log as one process writes it. Thread-safe; a context manager; a fork begins a new chain.

    ``recorded_via`` and ``is_demo`` go into every event that does not carry its own. A line file of more
    than ``seal_bytes`` is sealed and the chain goes on in a new one. ``recorded_at`` never goes back within
    a chain; when the ``clock`` is set, which ``ticks`` (seconds that nobody sets) show, an event says so.
    Raises WriterError when the workspace cannot be written.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        recorded_via: str,
        process_name: str,
        is_demo: bool = False,
        clock: Callable[[], dt.datetime] = utc_now,
        ticks: Callable[[], float] | None = None,
        seal_bytes: int = DEFAULT_SEAL_BYTES,
    ) -> None:
        self._workspace = workspace
        self._defaults: dict[str, Value] = {"recorded_via": recorded_via, "is_demo": is_demo}
        self._process_name = process_name
        self._clock = clock
        self._clock_watch = ClockWatch(clock, ticks)
        self._seal_bytes = seal_bytes
        self._queue = SealQueue(workspace)
        self._seal_text = TextSealer(workspace)
        self._turn = threading.Condition()
        self._chain = _new_chain(clock())
        child = weakref.WeakMethod(self._begin_again_in_child)
        os.register_at_fork(after_in_child=lambda: _call_if_alive(child))
        with self._turn:
            opening = self._open_chain()
        self._wait_until_durable(opening)

    @property
    def writer_id(self) -> str:
        """Id of this process's chain."""
        return self._chain.writer_id

    def append(self, events: Sequence[Mapping[str, Value]], payloads: Sequence[Payload] = ()) -> Receipt:
        """Write ``events`` and return when they and their ``payloads`` are on the device.

        All events are checked first: ContractError means that nothing was written. WriterError means that
        the writer is poisoned or closed; the events may or may not be in the log.
        """
        checked = [check(mask_event(event)) for event in events]
        for event in checked:
            if is_placed(event):
                raise ContractError(type(event).__name__, "writer_id and seq are filled by the writer")
        payload_lines = [payload_line(self._seal_text(payload)) for payload in payloads]
        with self._turn:
            self._refuse_unless_open()
            if self._chain.wal is None:
                self._open_chain()
            clock_was_set = self._clock_watch.set_since_last_look()
            if clock_was_set:
                self._enqueue([self._own_event("clock_set", reason=clock_was_set)], [])
            receipt = self._enqueue(checked, payload_lines)
        self._wait_until_durable(receipt.last_seq)
        self._seal_when_due()
        return receipt

    def close(self) -> None:
        """Write ``writer_closed``, seal what is open, give up the files. Harmless when done twice.

        Raises WriterError when the writer was poisoned, or when sealing fails (what was acknowledged stays
        in the line file, and `fleetbook recover` seals it).
        """
        with self._turn:
            if self._chain.is_closing:
                return
            self._chain.is_closing = True
            self._refuse_when_poisoned()
            if self._chain.wal is None:
                return
            closing = self._enqueue(
                [self._own_event("writer_closed", declared_count=self._chain.next_seq + 1)], []
            )
        self._wait_until_durable(closing.last_seq)
        with self._turn:
            self._hand_over(self._chain, 0)
        self._seal()
        with self._turn:
            self._refuse_when_poisoned()

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The error inside the block is the news; that a poisoned writer cannot be closed is not.
        with suppress(*([WriterError] if isinstance(error, WriterError) else [])):
            self.close()

    # Encoding: under the lock, because the chain is one sequence.

    def _enqueue(self, events: Sequence[CheckedEvent], payload_lines: list[bytes]) -> Receipt:
        chain = self._chain
        head, seq = chain.head, chain.next_seq
        recorded_at = max(self._clock(), chain.last_recorded_at)
        filled = {**self._defaults, "recorded_at": recorded_at, "writer_id": chain.writer_id}
        lines: list[bytes] = []
        for event in events:
            body = encode(event, filled, seq)
            head = next_head(head, body)
            lines.append(b"%b %b\n" % (hexlify(head), body))
            seq += 1
        receipt = Receipt(
            writer_id=chain.writer_id, first_seq=chain.next_seq, last_seq=seq - 1, head=head.hex()
        )
        chain.head, chain.next_seq, chain.last_recorded_at = head, seq, recorded_at
        chain.lines += lines
        chain.payload_lines += payload_lines
        return receipt

    def _own_event(self, event_type: str, **columns: Value) -> CheckedEvent:
        now = self._clock()
        event: dict[str, Value] = {
            "event_id": new_event_id(now),
            "event_type": event_type,
            "occurred_at": now,
            "recorded_via": "log",
            **columns,
        }
        return check(event)

    # Group commit: the first of the waiting threads writes for all.

    def _wait_until_durable(self, seq: int) -> None:
        while True:
            with self._turn:
                chain = self._chain
                while chain.is_flushing and chain.durable_seq < seq:
                    self._turn.wait()
                if chain.durable_seq >= seq:
                    return
                self._refuse_when_poisoned()
                chain.is_flushing = True
                lines, payload_lines = chain.lines, chain.payload_lines
                last_seq = chain.next_seq - 1
                chain.lines, chain.payload_lines = [], []
            self._flush(chain, lines, payload_lines, last_seq)

    def _flush(self, chain: _Chain, lines: list[bytes], payload_lines: list[bytes], last_seq: int) -> None:
        failure: str | None = "the process was interrupted while writing"
        try:
            if payload_lines:
                self._payload_wal(chain).append(b"".join(payload_lines))
                chain.payload_count += len(payload_lines)
            if lines and chain.wal is not None:
                chain.wal.append(b"".join(lines))
            failure = None
        except OSError as error:
            failure = str(error)
        finally:
            with self._turn:
                chain.is_flushing = False
                if failure is None:
                    chain.durable_seq = last_seq
                failure = failure or chain.failure
                if failure is not None:
                    self._poison(chain, failure)
                self._turn.notify_all()

    def _payload_wal(self, chain: _Chain) -> LineFile:
        if chain.payload_wal is None:
            folder = open_payload_dir(self._workspace)
            make_folder(folder)
            name = WalName(writer_id=chain.writer_id, first_seq=chain.payload_count)
            chain.payload_wal = LineFile.create(name.path(folder))
        return chain.payload_wal

    # Files: opened, rolled over, handed to the sealing queue.

    def _open_chain(self) -> int:
        self._open_wal()
        return self._enqueue([self._own_event("writer_opened", process_name=self._process_name)], []).last_seq

    def _open_wal(self) -> None:
        chain = self._chain
        name = WalName(writer_id=chain.writer_id, first_seq=chain.durable_seq + 1)
        try:
            chain.wal = LineFile.create(name.path(self._workspace.wal_dir))
        except OSError as error:
            self._poison(chain, str(error))
            self._refuse_when_poisoned()

    def _seal_when_due(self) -> None:
        with self._turn:
            chain = self._chain
            if not self._is_due(chain):
                return
            while chain.is_flushing:
                self._turn.wait()
            if chain.failure is not None or chain.is_closing or not self._hand_over(chain, self._seal_bytes):
                return
            if chain.wal is None:
                with suppress(WriterError):  # what this append wrote is durable; the next one is refused
                    self._open_wal()
        self._seal()

    def _is_due(self, chain: _Chain) -> bool:
        files = (chain.wal, chain.payload_wal)
        return any(file is not None and file.size >= self._seal_bytes for file in files)

    def _hand_over(self, chain: _Chain, least_bytes: int) -> bool:
        """Queue the files of at least ``least_bytes`` for sealing; True when there was one."""
        is_any = False
        if chain.payload_wal is not None and chain.payload_wal.size >= least_bytes:
            self._queue.add_payloads(chain.payload_wal)
            chain.payload_wal, is_any = None, True
        if chain.wal is not None and chain.wal.size >= least_bytes:
            self._queue.add_events(chain.wal)
            chain.wal, is_any = None, True
        return is_any

    def _seal(self) -> None:
        try:
            self._queue.seal_all(self._clock())
        except (OSError, IngestError) as error:
            with self._turn:
                self._poison(self._chain, str(error))

    # Failure and fork.

    def _poison(self, chain: _Chain, failure: str) -> None:
        chain.failure = failure
        if chain.is_flushing:
            return  # another thread is writing; it gives the files up when it is done
        for file in (chain.wal, chain.payload_wal):
            if file is not None:
                file.close()  # gives up the lock, so that a recovery can seal what is valid
        self._queue.close()

    def _refuse_when_poisoned(self) -> None:
        chain = self._chain
        if chain.failure is not None:
            raise WriterError(
                f"Log not written: {chain.failure} (writer {chain.writer_id}, durable up to seq "
                f"{chain.durable_seq}, in {self._workspace.wal_dir}). Free space or repair the disk, "
                "run `fleetbook recover`, start again."
            )

    def _refuse_unless_open(self) -> None:
        self._refuse_when_poisoned()
        if self._chain.is_closing:
            raise WriterError(
                f"Log not written: writer {self._chain.writer_id} is closed. "
                "Open a new LogWriter for new events."
            )

    def _begin_again_in_child(self) -> None:
        """After a fork: the chain and its files are the parent's; the child's next append opens a new one."""
        parent = self._chain
        self._turn = threading.Condition()
        for file in (parent.wal, parent.payload_wal):
            if file is not None:
                file.close()
        self._queue.give_up_files()
        self._queue = SealQueue(self._workspace)
        self._chain = _new_chain(self._clock())
        self._chain.is_closing = parent.is_closing
