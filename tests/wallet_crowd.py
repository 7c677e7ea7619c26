"""A crowd on two shared wallets: forked spenders, some killed at random, and a reader that watches."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.plane import Control
from runner.control.purses import Purse, purses_of
from runner.control.store import Store
from runner.control.tables import holds, wallets
from tests.runner_company import company

# The agents on the two shared wallets: both are in the team's, one has a wallet of its own besides.
AGENTS = ("refund-agent", "triage-agent")
# Less than a quarter of a call's worst case is of no use.
LEAST_SHARE = 4


@dataclass(kw_only=True)
class Crowd:
    """Who spends what, in nano-USD: caps, the worst case of a call; real costs from 1 % to ``top_share``."""

    processes: int
    calls: int
    cap: int
    worst: int
    top_share: float = 1.0
    lives: Sequence[float | None] = ()
    pause_s: float = 0.0


@dataclass(kw_only=True)
class Seen:
    """What readers saw: the most that spent + held was above a cap, how often they looked, milliseconds."""

    overshoot: int = -(10**18)
    looks: int = 0
    hold_ms: list[float] = field(default_factory=list)


def prepare(workspace: Workspace, crowd: Crowd) -> list[list[Purse]]:
    """A company whose two wallets have the crowd's cap; the purses of each agent."""
    cap = f'cap_usd: "{crowd.cap / 10**9:.9f}"'
    control = company(workspace, ('cap_usd: "50.00"', cap), ('cap_usd: "20.00"', cap))
    found = [_purses(control, agent_id) for agent_id in AGENTS]
    control.close()
    return found


def _purses(control: Control, agent_id: str) -> list[Purse]:
    return purses_of(control.registry(), agent_id, "support", "r", control.store.clock())


def run(url: str, taken: Sequence[list[Purse]], crowd: Crowd, folder: Path) -> Seen:
    """Let the crowd spend until the wallets are full or its calls are done; what a reader saw meanwhile."""
    lives = [*crowd.lives, *[None] * (crowd.processes - len(crowd.lives))]
    children = []
    for number, life in enumerate(lives):
        child = os.fork()
        if child == 0:
            _live(url, taken[number % len(taken)], crowd, number, life, folder / f"{number}.ms")
        children.append(child)
    seen = _watch(url, children, crowd.cap)
    for child in children:
        os.waitpid(child, 0)
    for file in folder.glob("*.ms"):
        seen.hold_ms += [float(line) for line in file.read_text().split()]
    return seen


def _live(url: str, taken: list[Purse], crowd: Crowd, number: int, life: float | None, times: Path) -> None:
    """What a forked spender does; one with a life in seconds dies as by kill -9."""
    try:
        if life is not None:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, life)
        took = _spend(Store(url), taken, crowd, number)
        times.write_text("\n".join(f"{one:.3f}" for one in took))
    finally:
        os._exit(0)


def _spend(store: Store, taken: list[Purse], crowd: Crowd, number: int) -> list[float]:
    """Hold, wait or lower, settle at a random cost; milliseconds of each hold that was taken."""
    dice = random.Random(number)
    took: list[float] = []
    least = min(crowd.worst, crowd.cap // 100) // LEAST_SHARE
    for call in range(crowd.calls):
        place = wallet.Attempt(f"run-{number}", call, 1)
        worst, waits = crowd.worst, 0
        while True:
            begun = time.perf_counter()
            with store.write() as tx:
                short = wallet.take(tx, taken, worst, place)
            if short is None:
                break
            if short.left_nano_usd < least:
                return took
            # Only holds are in the way: wait a little; then lower, as the gate does; those of the dead stay.
            if short.left_nano_usd >= worst and waits < 5:
                waits += 1
                time.sleep(0.005)
            elif worst <= least:
                return took
            else:
                waits, worst = 0, max(least, min(worst // 2, short.left_nano_usd))
        took.append((time.perf_counter() - begun) * 1000)
        if crowd.pause_s:
            time.sleep(crowd.pause_s)
        cost = dice.randint(max(worst // 100, 1), max(int(worst * crowd.top_share), 1))
        with store.write() as tx:
            wallet.settle(tx, taken, worst, cost, place)
    return took


def _watch(url: str, children: Sequence[int], cap: int) -> Seen:
    store, seen = Store(url), Seen()
    query = sa.select(holds.c.wallet_id, sa.func.sum(holds.c.amount_nano_usd)).group_by(holds.c.wallet_id)
    while any(os.waitid(os.P_PID, one, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None for one in children):
        with store.read() as connection:
            rows = connection.execute(sa.select(wallets)).all()
            held = {name: int(amount) for name, amount in connection.execute(query)}
        for row in rows:
            seen.overshoot = max(seen.overshoot, row.spent_nano_usd + row.held_nano_usd - cap)
            assert row.held_nano_usd == held.get(row.wallet_id, 0)
        seen.looks += 1
        time.sleep(0.001)
    store.close()
    return seen
