"""The worker: takes runs up and plays them; recovers what dead workers left; several may share one store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runner.agent.govern import Built, build_agent
from runner.agent.loop import Outcome, end_run, play
from runner.agent.models import build_model
from runner.agent.progress import Watch, nobody
from runner.agent.session import Pacing, Session
from runner.control import recover, runs
from runner.control.plane import Control
from runner.control.runs import Run
from runner.errors import LeaseLost, ModelUnusable, ToolUnusable

# One process, many runs: they wait for models most of the time.
CONCURRENCY = 100
_IDLE_S = 1.0


class Worker:
    """Plays the runs of one control plane on one event loop; agents and model clients are built once."""

    def __init__(self, control: Control, *, pacing: Pacing | None = None, watch: Watch = nobody) -> None:
        self._control = control
        self._pacing = pacing or Pacing()
        self._watch = watch
        self._agents: dict[str, Built] = {}

    async def play(self, run_id: str) -> Outcome | None:
        """Play one run until it ends or waits; None when another worker has it, or it cannot go on now.

        Raises RelayError: then the run stays as it is, and the next worker goes on.
        """
        run = self._control.run(run_id)
        session = self._claim(run)
        if session is None:
            return None
        try:
            agent = self._agent(session)
            return await play(session, agent)
        except (ModelUnusable, ToolUnusable) as error:
            # Nobody can play this version as it is: better an ended run with the reason than one that hangs.
            return await end_run(session, "failed", reason=str(error), error_type=type(error).__name__)
        except LeaseLost:
            return None

    async def once(self) -> list[Outcome]:
        """Recover, then play everything that can go on now; returns where each run stands."""
        recover.recover(self._control)
        return await self._play_all([run.run_id for run in self._claimable()])

    async def take_over(self, *, but_not: str = "") -> list[Outcome]:
        """Recover, then play only what dead workers left behind."""
        recover.recover(self._control)
        left = [run.run_id for run in self._claimable() if run.status == "running" and run.run_id != but_not]
        return await self._play_all(left)

    async def next_round(self, stop: asyncio.Event) -> list[Outcome]:
        """One round of a worker that stays: play what is there, or wait a moment for more or for ``stop``."""
        outcomes = await self.once()
        if not outcomes:
            await asyncio.gather(asyncio.wait_for(stop.wait(), _IDLE_S), return_exceptions=True)
        return outcomes

    def _claimable(self) -> list[Run]:
        with self._control.store.read() as connection:
            return runs.claimable(connection, self._control.presence, self._control.store.clock())

    async def _play_all(self, run_ids: Sequence[str]) -> list[Outcome]:
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(run_id: str) -> Outcome | None:
            async with gate:
                return await self.play(run_id)

        outcomes = await asyncio.gather(*(one(run_id) for run_id in run_ids))
        return [outcome for outcome in outcomes if outcome is not None]

    def _claim(self, run: Run) -> Session | None:
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
        return Session(
            control=control,
            registry=registry,
            run=run,
            frozen=version.frozen,
            version_hash=version.version_hash,
            price=control.price(registry, version.frozen),
            watch=self._watch,
            pacing=self._pacing,
        )

    def _agent(self, session: Session) -> Built:
        if session.version_hash not in self._agents:
            model = build_model(session.frozen.model)
            self._agents[session.version_hash] = build_agent(session.frozen, model)
        return self._agents[session.version_hash]


def run_until_parked(
    control: Control, run_id: str, *, watch: Watch = nobody, pacing: Pacing | None = None
) -> Outcome | None:
    """Play one run in this process until it ends or waits for a person; see :meth:`Worker.play`."""
    return asyncio.run(Worker(control, pacing=pacing, watch=watch).play(run_id))
