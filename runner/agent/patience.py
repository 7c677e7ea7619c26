"""Patience with a wallet: a run waits for the holds of others as long as they keep coming back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Patience:
    """Lasts ``wait_s`` from the last time that something moved in the wallet; looks every ``poll_s``."""

    def __init__(self, *, wait_s: float, poll_s: float) -> None:
        self._wait_s = wait_s
        self._poll_s = poll_s
        self._until = time.monotonic() + wait_s

    @property
    def is_over(self) -> bool:
        """True when nothing has moved for ``wait_s``."""
        return time.monotonic() >= self._until

    async def wait(self, seen: object, look: Callable[[], Awaitable[object]]) -> None:
        """Return when ``look`` finds something other than ``seen``, or patience is over; it locks nothing."""
        while not self.is_over:
            await asyncio.sleep(self._poll_s)
            if await look() != seen:
                self._until = time.monotonic() + self._wait_s
                return
