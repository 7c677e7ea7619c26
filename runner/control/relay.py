"""The relay: brings events from the outbox into the log, in order, each exactly once.

One process relays at a time, whichever comes first. Rows are marked with the writer before they are appended
and deleted after the log has acknowledged them; a marked row that is found later is in doubt (its relayer
died in between). Such rows, and rows that are strangely old (a restored backup), are looked up in the log.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Sequence
from types import TracebackType

import msgspec
import sqlalchemy as sa

from ingest.contract import new_event_id, parse_body
from ingest.errors import IngestError
from ingest.log.writer import LogWriter
from ingest.payloads import Payload
from ingest.workspace import Workspace
from runner.control.prepared import Prepared, Row
from runner.control.presence import Presence
from runner.control.store import Store
from runner.control.tables import outbox, relay_lock
from runner.errors import RelayError

# Appending a batch takes milliseconds; a relayer on another machine that is silent this long is dead.
LOCK_LIFETIME = dt.timedelta(seconds=60)
# Rows leave within seconds; one that did not may come from a backup, and be in the log already.
OLDEST_FRESH = dt.timedelta(minutes=10)
_BATCH = 5_000
_PATIENCE_S = 75.0
_POLL_S = 0.005

_O = outbox.c
_LOCK = Prepared(
    sa.select(relay_lock.c.owner, relay_lock.c.until).where(relay_lock.c.name == "relay").with_for_update()
)
_SET_LOCK = Prepared(sa.update(relay_lock).where(relay_lock.c.name == "relay"), "owner", "until")
# Event ids are UUIDv7, so that their order is that of time.
_DOUBTFUL = Prepared(
    sa.select(_O.outbox_id, _O.event_id, _O.event, _O.payload).where(
        sa.or_(_O.writer_id.is_not(None), _O.event_id < sa.bindparam("oldest"))
    )
)
_FRESH = Prepared(
    sa.select(_O.outbox_id, _O.event_id, _O.event, _O.payload)
    .where(_O.writer_id.is_(None), _O.event_id >= sa.bindparam("oldest"))
    .order_by(_O.outbox_id)
    .limit(_BATCH)
)
_MARK = Prepared(
    sa.update(outbox).where(_O.outbox_id == sa.bindparam("row")).values(writer_id=sa.bindparam("writer"))
)
_DROP = Prepared(sa.delete(outbox).where(_O.outbox_id == sa.bindparam("row")))
_PAYLOAD = msgspec.json.Decoder(Payload)


class Relay:
    """The relay of one process. :meth:`flush` makes everything committed so far durable in the log."""

    def __init__(self, store: Store, workspace: Workspace, presence: Presence, process_name: str) -> None:
        self._store = store
        self._workspace = workspace
        self._presence = presence
        self._process_name = process_name
        self._writer: LogWriter | None = None
        self._turn = threading.Lock()

    def flush(self) -> None:
        """Return when every event committed before this call is durable in the log.

        Raises RelayError when the log cannot be written or another relayer does not come back.
        """
        deadline = time.monotonic() + _PATIENCE_S
        with self._turn:
            while True:
                taken = self._relay_batch()
                if taken is not None and taken < _BATCH:
                    return
                if taken is None:
                    self._wait_for_other(deadline)

    def close(self) -> None:
        """Close this process's chain in the log."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_for_other(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise RelayError(
                f"Events not relayed: another process has held the relay for {_PATIENCE_S:.0f} s "
                f"({self._workspace.root}). Stop the worker that hangs; its events are kept."
            )
        time.sleep(_POLL_S)

    def _relay_batch(self) -> int | None:
        """Take the lock and bring one batch over; returns its size, or None when another has the lock."""
        with self._store.write() as tx:
            lock = _LOCK.one(tx.sql, {})
            me = self._presence.owner
            if lock.owner not in (None, me) and not self._presence.is_gone(lock.owner, lock.until, tx.now):
                return None
            oldest = {"oldest": new_event_id(tx.now - OLDEST_FRESH)}
            doubtful = _DOUBTFUL.all(tx.sql, oldest)
            fresh = _FRESH.all(tx.sql, oldest)
            if not doubtful and not fresh:
                return 0
            writer = self._log()
            if fresh:
                marks = [{"row": row.outbox_id, "writer": writer.writer_id} for row in fresh]
                _MARK.many(tx.sql, marks)
            _SET_LOCK.changed(tx.sql, {"owner": me, "until": tx.now + LOCK_LIFETIME})
        try:
            self._append(writer, doubtful, fresh)
        except IngestError as error:
            self._give_up(writer)
            raise RelayError(f"Events not relayed: {error}") from error
        # Undone by a power cut, the rows are in doubt, and looked up in the log.
        with self._store.write(is_durable=False) as tx:
            rows = [{"row": row.outbox_id} for row in (*doubtful, *fresh)]
            if rows:
                _DROP.many(tx.sql, rows)
            _SET_LOCK.changed(tx.sql, {"owner": None, "until": None})
        return len(fresh)

    def _append(self, writer: LogWriter, doubtful: Sequence[Row], fresh: Sequence[Row]) -> None:
        rows = [*self._not_in_log(doubtful), *fresh]
        if rows:
            payloads = [_PAYLOAD.decode(row.payload) for row in rows if row.payload is not None]
            writer.append([parse_body(row.event) for row in rows], payloads)

    def _not_in_log(self, doubtful: Sequence[Row]) -> list[Row]:
        if not doubtful:
            return []
        # Arrow is not needed otherwise, and takes a third of a second to import.
        from ingest.reader import event_ids

        ways = {str(parse_body(row.event)["recorded_via"]) for row in doubtful}
        known = set[str]().union(*(event_ids(self._workspace, recorded_via=way) for way in ways))
        return sorted((row for row in doubtful if row.event_id not in known), key=lambda row: row.outbox_id)

    def _log(self) -> LogWriter:
        if self._writer is None:
            try:
                self._writer = LogWriter(
                    self._workspace,
                    recorded_via="runner",
                    process_name=self._process_name,
                    clock=self._store.clock,
                )
            except IngestError as error:
                raise RelayError(f"Events not relayed: {error}") from error
        return self._writer

    def _give_up(self, writer: LogWriter) -> None:
        """A writer that failed takes nothing more; its rows stay marked, so the next relay looks them up."""
        self._writer = None
        with self._store.write() as tx:
            _SET_LOCK.changed(tx.sql, {"owner": None, "until": None})
