"""The sealing queue: full line files of one writer, sealed one after the other, in order."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque

from ingest.errors import SegmentError
from ingest.log.wal import ChainReader, LineFile, WalName, first_head
from ingest.payloads import PayloadReader
from ingest.workspace import Workspace


class SealQueue:
    """Line files that take no more lines and wait to be sealed. The seal happens in the caller's thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._events: deque[LineFile] = deque()
        self._payloads: deque[LineFile] = deque()
        self._next_seq = 0
        self._head = b""

    def add_events(self, file: LineFile) -> None:
        """Queue a line file of events."""
        self._events.append(file)

    def add_payloads(self, file: LineFile) -> None:
        """Queue a line file of payloads."""
        self._payloads.append(file)

    def seal_all(self, now: dt.datetime) -> None:
        """Seal and remove everything queued. Raises OSError and SegmentError; the line files then stay."""
        # Imported here: a process that writes a few events and goes on does not pay for Parquet.
        from ingest.payload_store import seal_payloads

        with self._lock:
            while self._payloads:
                file = self._payloads[0]
                name = _name_of(file)
                reader = PayloadReader(file.fd, file.size)
                seal_payloads(self._workspace, reader, name)
                file.remove()
                self._payloads.popleft()
            while self._events:
                self._seal_events(self._events[0], now)
                self._events.popleft()

    def _seal_events(self, file: LineFile, now: dt.datetime) -> None:
        from ingest.log.segments import seal

        name = _name_of(file)
        if name.first_seq == 0:
            self._next_seq, self._head = 0, first_head(name.writer_id)
        reader = ChainReader(file.fd, file.size, first_seq=name.first_seq, head=self._head)
        seal(self._workspace, reader, writer_id=name.writer_id, sealed_at=now)
        self._next_seq, self._head = reader.next_seq, reader.head
        file.remove()

    def close(self) -> None:
        """Give up the files that are still queued, after the one being sealed; a recovery seals them."""
        with self._lock:
            self.give_up_files()

    def give_up_files(self) -> None:
        """The same without waiting: for the child after a fork, where nobody would release the lock."""
        for file in (*self._events, *self._payloads):
            file.close()
        self._events.clear()
        self._payloads.clear()


def _name_of(file: LineFile) -> WalName:
    name = WalName.parse(file.path.name)
    if name is None:
        raise SegmentError(f"Not sealed: {file.path} is no line file. Move it out of the workspace.")
    return name
