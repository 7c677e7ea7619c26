"""One execution of a run by this process: what the gates of model turns and tool calls share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from runner.agent.chain import Link
from runner.agent.flushing import Flusher
from runner.agent.mcp_client import ToolServers
from runner.agent.progress import Progress, Watch
from runner.agent.tools import ArgumentCheck
from runner.control import runs
from runner.control.ancestry import Above
from runner.control.core import Core
from runner.control.registry import Registry
from runner.control.runs import Run
from runner.control.store import Transaction
from runner.control.versions import Frozen, FrozenTool

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Pacing:
    """How patient a run is: tries per turn and model, seconds between them, seconds for one and for a wallet.

    Three tries in about two seconds bridge a hiccup of an endpoint; longer outages are for the person.
    """

    attempts: int = 3
    backoff_s: tuple[float, ...] = (0.5, 1.5)
    longest_retry_after_s: float = 30.0
    attempt_timeout_s: float = 120.0  # a hold lives longer: runner.control.wallet.HOLD_LIFETIME
    # From the last hold that came back: a call ends within attempt_timeout_s, so longer is in vain.
    wallet_wait_s: float = 125.0
    wallet_poll_s: float = 0.1


class Stopwatch:
    """Active time of this process on the run; waits that :meth:`skip` names do not count."""

    def __init__(self) -> None:
        self._mark = time.monotonic_ns()

    def lap(self) -> int:
        """Nanoseconds worked since the last lap."""
        now = time.monotonic_ns()
        worked, self._mark = now - self._mark, now
        return max(worked, 0)

    def skip(self, waited_ns: int) -> None:
        """Leave ``waited_ns`` out of the lap in hand."""
        self._mark += waited_ns


@dataclass
class Session:
    """The run in hand. Everything that changes the store goes through :meth:`write`, under the lease."""

    control: Core
    registry: Registry
    run: Run
    frozen: Frozen
    links: tuple[Link, ...]
    bindings: Mapping[str, ArgumentCheck]
    servers: ToolServers
    flusher: Flusher
    watch: Watch
    pacing: Pacing
    is_streaming: bool = False
    above: tuple[Above, ...] = ()  # the runs it works for, nearest first
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    turn_count: int = 0
    tool_call_count: int = 0
    attempt: int = 0

    def __post_init__(self) -> None:
        self.turn_count = self.run.turn_count
        self.tool_call_count = self.run.tool_call_count
        self.attempt = self.run.attempt_count

    @property
    def owner(self) -> str:
        """Name under which this process holds the lease."""
        return self.control.presence.owner

    def binding(self, tool: FrozenTool) -> ArgumentCheck:
        """The check of an offered tool's arguments, and for a function what to call."""
        return self.bindings[tool.name]

    async def write(self, change: Callable[[Transaction], Answer], *, attempt: int | None = None) -> Answer:
        """One transaction under the lease. Raises LeaseLost when another worker has the run now."""

        def work() -> Answer:
            with self.control.store.write() as tx:
                answer = change(tx)
                worked_ns = self.stopwatch.lap()
                runs.renew(tx, self.run.run_id, self.owner, worked_ns=worked_ns, attempt=attempt)
            return answer

        return await self._off_loop(work)

    async def write_gated(self, change: Callable[[Transaction], Answer], *, attempt: int) -> Answer:
        """:meth:`gate` and :meth:`write` in one transaction; no ``change`` once a stop is ordered."""

        def gated(tx: Transaction) -> tuple[Answer] | None:
            return None if runs.is_marked(tx.sql, self.run.run_id) else (change(tx),)

        answer = await self.write(gated, attempt=attempt)
        return answer[0] if answer is not None else await _for_ever()

    async def write_last(self, change: Callable[[Transaction], Answer]) -> Answer:
        """One transaction whose ``change`` ends the lease. Raises LeaseLost before it."""

        def work() -> Answer:
            with self.control.store.write() as tx:
                runs.renew(tx, self.run.run_id, self.owner, worked_ns=self.stopwatch.lap())
                return change(tx)

        return await self._off_loop(work)

    async def write_checkpoint(self, change: Callable[[Transaction], Answer]) -> Answer:
        """One transaction whose ``change`` proves the lease itself, by a checkpoint."""

        def work() -> Answer:
            with self.control.store.write() as tx:
                return change(tx)

        return await self._off_loop(work)

    async def gate(self) -> Registry:
        """Before each model call and tool call: stands still for ever once the run is ordered to stop.

        The worker that plays the run cancels it then (see runner.worker). Returns the registry as it is
        applied now.
        """

        def standing() -> tuple[bool, Registry]:
            row = self.control.store.glance(runs.STANDING, {"of_run": self.run.run_id})
            if row is None:
                return False, self.control.registry()
            return row.stop_id is not None, self.control.registry_of(row.revision)

        is_stopped, registry = await self._off_loop(standing)
        if is_stopped:
            await _for_ever()
        return registry

    async def flush(self) -> None:
        """Make every event so far durable in the log. Raises RelayError."""
        await self.flusher.flush()

    def tell(self, progress: Progress) -> None:
        """Tell whoever watches."""
        self.watch(progress)

    async def _off_loop(self, work: Callable[[], Answer]) -> Answer:
        # A commit to a local file is shorter than a hand-over to a thread; one over a network is not.
        if self.control.store.is_blocking_cheap:
            return work()
        doing = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            await asyncio.wait([doing])  # what is being written is written before anybody else goes on
            raise


async def _for_ever() -> NoReturn:
    """Stand still until the worker cancels this run."""
    while True:
        await asyncio.Event().wait()
