"""Halts runs that this process plays: on an order to stop, and when the process has to go.

A model call in flight is cancelled at once. A call that has begun its effect gets some seconds to come back,
so that its result is known; then it is given up and its outcome is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine

from runner.agent.loop import Outcome
from runner.control import journal, runs, stops
from runner.control.core import Core
from runner.errors import LeaseLost

# Orders are also read before each model call and tool call; this finds runs that are in the middle of one.
POLL_S = 1.0
# With the poll, the flush and a busy machine a stop stays below ten seconds.
EFFECT_PATIENCE_S = 5.0


class Halting:
    """Plays runs so that an order can halt them. One object per worker, on its event loop."""

    def __init__(self, control: Core) -> None:
        self._control = control
        self._playing: dict[str, asyncio.Task[Outcome]] = {}
        self._ordered: dict[str, float] = {}
        self._watch: asyncio.Task[None] | None = None

    async def play(self, run_id: str, playing: Coroutine[None, None, Outcome]) -> Outcome | None:
        """The outcome of ``playing``; an order halts it. None when another process has the run now.

        When this is cancelled, the run is given back: another worker may take it up at once.
        """
        task = self._playing[run_id] = asyncio.create_task(playing)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_orders())
        try:
            return await asyncio.shield(task)
        except LeaseLost:
            return None
        except asyncio.CancelledError:
            if run_id not in self._ordered:
                await self._let_go(run_id, task)
                raise
            return await asyncio.to_thread(self._halt, run_id)
        finally:
            self._playing.pop(run_id, None)
            self._ordered.pop(run_id, None)
            await self._rest()

    async def _rest(self) -> None:
        if not self._playing and self._watch is not None:
            watch, self._watch = self._watch, None
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _watch_orders(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            for run_id in await asyncio.to_thread(self._marked):
                self._obey(run_id)

    def _marked(self) -> set[str]:
        with self._control.store.read() as connection:
            return stops.marked(connection)

    def _obey(self, run_id: str) -> None:
        task = self._playing.get(run_id)
        if task is None or task.done():
            return
        since = self._ordered.setdefault(run_id, time.monotonic())
        if time.monotonic() - since < EFFECT_PATIENCE_S and self._has_begun_an_effect(run_id):
            return
        task.cancel()

    def _has_begun_an_effect(self, run_id: str) -> bool:
        with self._control.store.read() as connection:
            return any(call.state == "started" for call in journal.unfinished(connection, run_id))

    def _halt(self, run_id: str) -> Outcome | None:
        run = stops.halt_in_hand(self._control, run_id)
        self._control.relay.flush()
        if run is None:
            return None
        ended = self._control.run(run_id)
        return Outcome(run_id=run_id, status="ended", end_state="cancelled", reason=ended.reason)

    async def _let_go(self, run_id: str, task: asyncio.Task[Outcome]) -> None:
        task.cancel()
        await asyncio.wait([task])

        def give_back() -> None:
            with self._control.store.write() as tx:
                runs.give_back(tx, run_id, self._control.presence.owner)

        await asyncio.to_thread(give_back)
