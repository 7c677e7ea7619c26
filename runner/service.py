"""The worker as a service: takes up what comes until it is told to end; several may share one control store.

Each round does the upkeep, tells that the worker is alive, and takes runs up. Told to end, it takes nothing
new, lets the runs in hand end or park for a while, and then gives the rest back to other workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner.agent.loop import Outcome
from runner.control.plane import Control
from runner.control.schedules import Slot
from runner.control.upkeep import upkeep
from runner.control.workers import Beat, beat, sign_off
from runner.messenger import Messenger
from runner.worker import CONCURRENCY, Worker

# Long enough for most model turns; shorter than the 90 s after which service managers kill.
GRACE_S = 30.0
_ROUND_S = 1.0


class Endings:
    """How a worker is told to end: ``soon`` (let runs end or park), then ``now`` (give them back)."""

    def __init__(self) -> None:
        self.soon = asyncio.Event()
        self.now = asyncio.Event()

    def signal(self) -> None:
        """The first call asks to end soon, the second to end now."""
        if self.soon.is_set():
            self.now.set()
        self.soon.set()


class Service:
    """One worker that works until it is told to end. ``report`` hears of outcomes, ``fired`` of slots.

    ``given_back`` is how many runs it had to give up at its end.
    """

    def __init__(
        self,
        control: Control,
        worker: Worker,
        *,
        report: Callable[[Outcome], None],
        fired: Callable[[list[Slot]], None] = lambda slots: None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._control = control
        self._worker = worker
        self._report = report
        self._fired = fired
        self._grace_s = grace_s
        self._playing: dict[str, asyncio.Task[Outcome | None]] = {}
        self._messenger = Messenger(control)
        self._played = 0
        self.given_back = 0

    async def run(self, endings: Endings, *, is_drain: bool = False) -> None:
        """Work until told to end; a drain also ends when nothing can go on any more. Raises RelayError."""
        ending = asyncio.create_task(endings.soon.wait())
        try:
            while not endings.soon.is_set():
                is_busy = await self._round()
                if is_drain and not is_busy:
                    break
                await self._wait_for(ending)
            await self._end(endings)
        finally:
            ending.cancel()
            self.given_back = len(self._playing)
            await self._let_go()
            await asyncio.to_thread(sign_off, self._control)
        if not endings.now.is_set():
            await self._messenger.close()

    async def _round(self) -> bool:
        """Upkeep and new runs; False when nothing is in hand and nothing waits for this process."""
        self._fired(await asyncio.to_thread(upkeep, self._control))
        await self._messenger.tick()
        await self._beat("working")
        for run_id in await asyncio.to_thread(self._worker.waiting):
            if run_id not in self._playing and len(self._playing) < CONCURRENCY:
                self._playing[run_id] = asyncio.create_task(self._worker.play_or_leave(run_id))
        return bool(self._playing)

    async def _wait_for(self, *others: asyncio.Task[bool]) -> None:
        """Until a run is done, one of ``others`` is, or the round is over; done runs are reported."""
        everything = [*self._playing.values(), *others]
        await asyncio.wait(everything, timeout=_ROUND_S, return_when=asyncio.FIRST_COMPLETED)
        for run_id in [run_id for run_id, task in self._playing.items() if task.done()]:
            outcome = self._playing.pop(run_id).result()
            if outcome is not None:
                self._played += 1
                self._report(outcome)

    async def _end(self, endings: Endings) -> None:
        """Let the runs in hand end or park within the grace, unless told to end now."""
        hurry = asyncio.create_task(endings.now.wait())
        deadline = asyncio.get_running_loop().time() + self._grace_s
        while self._playing and not endings.now.is_set():
            if asyncio.get_running_loop().time() >= deadline:
                break
            await self._beat("stopping")
            await self._wait_for(hurry)
        hurry.cancel()

    async def _let_go(self) -> None:
        for task in self._playing.values():
            task.cancel()
        await asyncio.gather(*self._playing.values(), return_exceptions=True)
        self._playing.clear()

    async def _beat(self, status: str) -> None:
        now = Beat(status=status, playing_count=len(self._playing), played_count=self._played)
        await asyncio.to_thread(beat, self._control, now)
