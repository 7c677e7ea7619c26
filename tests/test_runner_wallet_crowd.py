"""Many processes on two shared wallets, some killed at random: no reader ever sees more than the cap."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.plane import Control
from runner.control.purses import Purse, purses_of
from runner.control.store import Store
from runner.control.tables import holds, wallets
from tests.runner_company import company

pytestmark = pytest.mark.both_engines

PROCESSES = 8
CALLS = 400
CAP = 1_000_000
WORST = 20_000


def purses(control: Control, agent_id: str) -> list[Purse]:
    return purses_of(control.registry(), agent_id, "support", "r", dt.datetime(2026, 11, 4, tzinfo=dt.UTC))


def spend(store: Store, taken: list[Purse], name: str, seed: int) -> None:
    """Hold and settle at random real cost, from 1 to 100 % of the worst case, until the wallet is full."""
    dice = random.Random(seed)
    for call in range(CALLS):
        worst = WORST
        place = wallet.Attempt(name, call, 1)
        short = True
        while short and worst >= 1_000:
            with store.write() as tx:
                short = wallet.take(tx, taken, worst, place) is not None
            worst = worst // 2 if short else worst
        if short:
            return
        with store.write() as tx:
            wallet.settle(tx, taken, worst, dice.randint(worst // 100, worst), place)


@contextmanager
def children(
    workspace: Workspace, taken: list[list[Purse]], lives: list[float | None]
) -> Iterator[list[int]]:
    """Forked spenders; one with a life in seconds is killed by a signal without handler, as by kill -9."""
    found = []
    for number, life in enumerate(lives):
        child = os.fork()
        if child == 0:
            try:
                if life is not None:
                    signal.signal(signal.SIGALRM, signal.SIG_DFL)
                    signal.setitimer(signal.ITIMER_REAL, life)
                spend(Store(workspace.control_url), taken[number % len(taken)], f"run-{number}", seed=number)
            finally:
                os._exit(0)
        found.append(child)
    yield found
    for child in found:
        os.waitpid(child, 0)


def test_a_crowd_with_kills_never_overshoots_and_leaves_no_hold_after_the_sweep(workspace: Workspace) -> None:
    cap_usd = f"{CAP / 10**9:.9f}"
    control = company(
        workspace,
        ('cap_usd: "50.00"', f'cap_usd: "{cap_usd}"'),
        ('cap_usd: "20.00"', f'cap_usd: "{cap_usd}"'),
    )
    taken = [purses(control, "refund-agent"), purses(control, "triage-agent")]
    control.close()

    dice = random.Random(7)
    lives: list[float | None] = [dice.uniform(0.05, 0.4) for _ in range(PROCESSES // 2)]
    lives += [None] * (PROCESSES - len(lives))
    with children(workspace, taken, lives) as living:
        store = Store(workspace.control_url)
        seen = 0
        while any(
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None for child in living
        ):
            with store.read() as connection:
                for row in connection.execute(sa.select(wallets)):
                    seen += 1
                    assert row.spent_nano_usd + row.held_nano_usd <= CAP
                total = sa.select(holds.c.wallet_id, sa.func.sum(holds.c.amount_nano_usd)).group_by(
                    holds.c.wallet_id
                )
                held = {name: amount for name, amount in connection.execute(total)}
                for row in connection.execute(sa.select(wallets)):
                    assert row.held_nano_usd == held.get(row.wallet_id, 0)
    assert seen > 100

    later = dt.datetime.now(dt.UTC) + wallet.HOLD_LIFETIME
    late = Store(workspace.control_url, clock=lambda: later)
    with late.write() as tx:
        left = wallet.sweep(tx)
    # What the killed ones held is unknown now: neither spent nor free to be forgotten.
    by_wallet = {row.wallet_id: row for row in _rows(late)}
    for wallet_id, row in by_wallet.items():
        assert row.held_nano_usd == 0
        assert row.swept_nano_usd == sum(hold.amount_nano_usd for hold in left if hold.wallet_id == wallet_id)
        assert row.spent_nano_usd <= CAP
    with late.read() as connection:
        assert connection.execute(sa.select(holds)).all() == []
    team = by_wallet["team:support:month"]
    assert team.spent_nano_usd + team.swept_nano_usd >= 0.95 * CAP
    late.close()
    store.close()


def _rows(store: Store) -> list[sa.Row[tuple[object, ...]]]:
    with store.read() as connection:
        return list(connection.execute(sa.select(wallets)).all())
