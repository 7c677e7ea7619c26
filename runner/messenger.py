"""The messenger: sends notices beside the runs of a worker, in a thread: no run waits for a mail server."""

from __future__ import annotations

import asyncio
import time

from runner.control.core import Core
from runner.control.sending import Tried, send_due

_EVERY_S = 5.0


class Messenger:
    """Sends what is due, one round at a time and at most every few seconds."""

    def __init__(self, control: Core) -> None:
        self._control = control
        self._round: asyncio.Task[list[Tried]] | None = None
        self._next = 0.0

    async def tick(self) -> None:
        """Begin a round when it is time and none is under way. Raises what the last round raised."""
        if self._round is not None and self._round.done():
            self._round.result()
            self._round = None
        if self._round is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_S
            self._round = asyncio.create_task(asyncio.to_thread(send_due, self._control))

    async def close(self) -> None:
        """Wait for the round under way, then send what has come meanwhile."""
        if self._round is not None:
            await self._round
            self._round = None
        await asyncio.to_thread(send_due, self._control)
