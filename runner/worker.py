"""The worker: takes runs up and plays them; recovers what dead workers left; several may share one store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from ingest.tracing import span
from runner.agent.chain import Endpoints
from runner.agent.flushing import Flusher
from runner.agent.govern import Built, build_agent
from runner.agent.loop import Outcome, play
from runner.agent.progress import Watch, nobody
from runner.agent.session import Pacing, Session
from runner.agent.toolbox import Toolbox
from runner.control import ancestry, recover, runs
from runner.control.plane import Control
from runner.control.runs import Run
from runner.control.upkeep import upkeep
from runner.errors import ModelUnusable, ToolUnusable
from runner.halting import Halting
from runner.messenger import Messenger

# One process, many runs: they wait for models most of the time.
CONCURRENCY = 100


class Worker:
    """Plays the runs of one control plane on one event loop; agents and model clients are built once."""

    def __init__(
        self,
        control: Control,
        *,
        pacing: Pacing | None = None,
        watch: Watch = nobody,
        is_streaming: bool = False,
    ) -> None:
        self._control = control
        self._pacing = pacing or Pacing()
        self._watch = watch
        self._is_streaming = is_streaming
        self._agents: dict[tuple[str, int], Built] = {}
        self._toolbox = Toolbox(control)
        self._named: set[str] = set()
        self._endpoints = Endpoints()
        self._halting = Halting(control)
        self._flusher = Flusher(control.relay)

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._endpoints.close()
        await self._toolbox.close()

    async def play(self, run_id: str) -> Outcome | None:
        """Play one run, and what it delegates, until it ends or waits; None when it cannot go on here now.

        Raises ModelUnusable or ToolUnusable when this process lacks a key or a module that the run needs: it
        is left as it is, for a worker that has them. Raises RelayError.
        """
        outcome = await self._play_one(run_id)
        while outcome is not None and outcome.status == "waiting" and outcome.reason == "delegate":
            for child_id in self._open_children(run_id):
                await self.play_or_leave(child_id)
            if self._control.run(run_id).status != "ready":
                break
            outcome = await self._play_one(run_id)
        return outcome

    async def _play_one(self, run_id: str) -> Outcome | None:
        run = self._control.run(run_id)
        built = await self._agent(run)
        session = self._claim(run, built)
        if session is None:
            return None
        with span("run", run_id=run_id, agent_id=run.agent_id, agent_version=run.agent_version):
            return await self._halting.play(run_id, play(session, built))

    async def once(self) -> list[Outcome]:
        """One round of upkeep, then play everything that can go on now; returns where each run stands."""
        upkeep(self._control)
        outcomes = await self._play_all([run.run_id for run in self._claimable()])
        await Messenger(self._control).close()
        return outcomes

    async def take_over(self, *, but_not: str = "") -> list[Outcome]:
        """Recover, then play only what dead workers left behind."""
        recover.recover(self._control)
        left = [run.run_id for run in self._claimable() if run.status == "running" and run.run_id != but_not]
        return await self._play_all(left)

    def waiting(self) -> list[str]:
        """Runs that this process could take up now, oldest first."""
        return [run.run_id for run in self._claimable() if run.run_id not in self._named]

    async def play_or_leave(self, run_id: str) -> Outcome | None:
        """:meth:`play`; a run that this process cannot play is named once, and left to others."""
        try:
            return await self.play(run_id)
        except (ModelUnusable, ToolUnusable) as error:
            if run_id in self._named:
                return None
            self._named.add(run_id)
            return Outcome(run_id=run_id, status="left", reason=str(error))

    def _claimable(self) -> list[Run]:
        with self._control.store.read() as connection:
            return runs.claimable(connection, self._control.presence, self._control.store.clock())

    async def _play_all(self, run_ids: Sequence[str]) -> list[Outcome]:
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(run_id: str) -> Outcome | None:
            async with gate:
                return await self.play_or_leave(run_id)

        outcomes = await asyncio.gather(*(one(run_id) for run_id in run_ids))
        return [outcome for outcome in outcomes if outcome is not None]

    def _open_children(self, run_id: str) -> list[str]:
        with self._control.store.read() as connection:
            return ancestry.open_children(connection, run_id)

    def _claim(self, run: Run, built: Built) -> Session | None:
        control = self._control
        with control.store.write() as tx:
            registry = control.registry_in(tx.sql)
            version = control.version(tx.sql, run.agent_id, run.agent_version)
            if run.status not in ("queued", "ready", "running"):
                return None
            if not runs.claim(tx, run, control.presence, version.version_hash):
                return None
            if run.status == "running":
                recover.close_interrupted_turns(tx, run)
            above = ancestry.ancestors(tx.sql, run.parent_run_id)
        return Session(
            control=control,
            registry=registry,
            run=run,
            frozen=version.frozen,
            links=self._endpoints.chain(control, registry, version.frozen.models),
            bindings=built.bindings,
            servers=self._toolbox.servers,
            flusher=self._flusher,
            watch=self._watch,
            pacing=self._pacing,
            is_streaming=self._is_streaming,
            above=above,
        )

    async def _agent(self, run: Run) -> Built:
        with self._control.store.read() as connection:
            version = self._control.version(connection, run.agent_id, run.agent_version)
        self._endpoints.open(version.frozen.models)
        key = (run.agent_id, run.agent_version)
        built = self._agents.get(key)
        if built is None:
            offer = await self._toolbox.offer(run.agent_id, version)
            built = build_agent(version.frozen, offer.bindings)
            if offer.is_whole:
                self._agents[key] = built
        return built


def run_until_parked(
    control: Control,
    run_id: str,
    *,
    watch: Watch = nobody,
    pacing: Pacing | None = None,
    is_streaming: bool = False,
) -> Outcome | None:
    """Play one run in this process until it ends or waits for a person; see :meth:`Worker.play`.

    With ``is_streaming`` the text of a model is told to ``watch`` while it arrives.
    """

    async def work() -> Outcome | None:
        async with Worker(control, pacing=pacing, watch=watch, is_streaming=is_streaming) as worker:
            return await worker.play(run_id)

    return asyncio.run(work())


def take_over(control: Control, *, but_not: str = "") -> list[Outcome]:
    """Recover, and play here what dead workers left behind; see :meth:`Worker.take_over`."""

    async def work() -> list[Outcome]:
        async with Worker(control) as worker:
            return await worker.take_over(but_not=but_not)

    return asyncio.run(work())


def work_once(control: Control, *, pacing: Pacing | None = None) -> list[Outcome]:
    """Recover, and play here everything that can go on now; see :meth:`Worker.once`."""

    async def work() -> list[Outcome]:
        async with Worker(control, pacing=pacing) as worker:
            return await worker.once()

    return asyncio.run(work())
