"""Flushes of many runs on one event loop: those who ask while one is under way share the next."""

from __future__ import annotations

import asyncio

from runner.control.relay import Relay


class Flusher:
    """Makes events durable in the log, off the event loop; one per loop."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._under_way: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def flush(self) -> None:
        """Return when every event committed before this call is durable. Raises RelayError."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._under_way))
            self._next.add_done_callback(_seen)
        await asyncio.shield(self._next)  # one run that goes leaves the flush to the others

    async def _after(self, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        # Whoever asks from now on may have committed too late for this one.
        self._under_way, self._next = self._next, None
        await asyncio.to_thread(self._relay.flush)


def _seen(task: asyncio.Task[None]) -> None:
    """An error that nobody waits for any more is told by the next flush."""
    if not task.cancelled():
        task.exception()
