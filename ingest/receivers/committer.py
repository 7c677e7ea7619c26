"""Group commit: many requests share one append, and each is answered when its records are on the device."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ingest.contract import Value
from ingest.errors import ContractError, IngestError, WriterError
from ingest.log.writer import LogWriter, utc_now
from ingest.receivers.intake import Batch, Written, write_out

# One group is on its way to the device while the next is encoded; a third may be sealing a full file.
GROUPS_AT_ONCE = 3
# A second group starts only when it is worth it: small groups cost a third more CPU per span (measured).
WORTH_BYTES = 256 << 10
# A repeated request is known for this many traces of this process; the build removes later repetitions.
REMEMBERED_EVENTS = 50_000
# Groups stay small enough to be encoded in a fraction of a second.
GROUP_BYTES = 8 << 20


class RecentIds:
    """Ids of the events written last, in two generations, so that memory has a bound."""

    def __init__(self, size: int = REMEMBERED_EVENTS) -> None:
        self._size = size
        self._new: set[str] = set()
        self._old: set[str] = set()
        self._lock = threading.Lock()

    def unknown(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that were not written lately."""
        with self._lock:
            return {one for one in ids if one not in self._new and one not in self._old}

    def add(self, ids: Sequence[str]) -> None:
        """Remember ``ids``: they are durable."""
        with self._lock:
            self._new.update(ids)
            if len(self._new) > self._size:
                self._old, self._new = self._new, set()


class Committer:
    """Takes batches from the event loop, writes them in groups from threads, answers when they are safe."""

    def __init__(self, writer: LogWriter, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._writer = writer
        self._clock = clock
        self._recent = RecentIds()
        self._pool = ThreadPoolExecutor(GROUPS_AT_ONCE, thread_name_prefix="otlp-commit")
        self._queue: list[tuple[Batch, asyncio.Future[None]]] = []
        self._groups: set[asyncio.Task[None]] = set()
        self.waiting_bytes = 0
        self.failure: WriterError | None = None

    async def commit(self, batch: Batch) -> None:
        """Return when all of ``batch`` is durable. Raises WriterError or ContractError: it is not stored."""
        if self.failure is not None:
            raise self.failure
        if not batch.groups:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting_bytes += batch.waiting_bytes
        self._queue.append((batch, done))
        self._start_group()
        try:
            await done
        finally:
            self.waiting_bytes -= batch.waiting_bytes

    async def close(self) -> None:
        """Write what is queued, then give up the threads. The writer stays open."""
        while self._groups:
            await asyncio.gather(*self._groups)
        self._pool.shutdown()

    def _start_group(self) -> None:
        while self._queue and len(self._groups) < GROUPS_AT_ONCE:
            if self._groups and sum(batch.waiting_bytes for batch, _ in self._queue) < WORTH_BYTES:
                return
            size = count = 0
            for batch, _ in self._queue:
                size += batch.waiting_bytes
                count += 1
                if size >= GROUP_BYTES:
                    break
            group, self._queue = self._queue[:count], self._queue[count:]
            task = asyncio.create_task(self._write_group(group))
            self._groups.add(task)
            task.add_done_callback(self._groups.discard)

    async def _write_group(self, group: list[tuple[Batch, asyncio.Future[None]]]) -> None:
        batches = [batch for batch, _ in group]
        failure: IngestError | None = WriterError(
            "Log not written: the receiver stopped while a group was on its way. Send it again."
        )
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._write, batches)
            failure = None
        except WriterError as error:
            failure = self.failure = error
        except ContractError as error:
            failure = error
        finally:
            for _, done in group:
                if not done.done():  # its sender may have gone
                    if failure is None:
                        done.set_result(None)
                    else:
                        done.set_exception(failure)
            task = asyncio.current_task()
            if task is not None:
                self._groups.discard(task)
            self._start_group()

    def _write(self, batches: Sequence[Batch]) -> None:
        written = self._without_known(write_out(batches, self._clock()))
        if written.events:
            self._writer.append(written.events, written.payloads)
            self._recent.add([str(event["event_id"]) for event in written.events])

    def _without_known(self, written: Written) -> Written:
        """``written`` without what was written lately, and without repetitions in itself."""
        unknown = self._recent.unknown([str(event["event_id"]) for event in written.events])
        if len(unknown) == len(written.events):
            return written
        kept: dict[str, dict[str, Value]] = {}
        for event in written.events:
            event_id = str(event["event_id"])
            if event_id in unknown:
                kept.setdefault(event_id, event)
        payload_ids = {event.get("payload_id") for event in kept.values()}
        payloads = [payload for payload in written.payloads if payload.payload_id in payload_ids]
        return replace(written, events=list(kept.values()), payloads=payloads)
