"""32 processes on two shared wallets, some killed at random: no reader ever sees more than the cap."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.store import Store
from runner.control.tables import holds, wallets
from tests.wallet_crowd import Crowd, prepare, run

pytestmark = pytest.mark.both_engines

TEAM = "team:support:month"


def _rows(store: Store) -> dict[str, sa.Row[tuple[object, ...]]]:
    with store.read() as connection:
        return {row.wallet_id: row for row in connection.execute(sa.select(wallets))}


def test_a_crowd_with_kills_never_overshoots_and_leaves_no_hold_after_the_sweep(
    workspace: Workspace, tmp_path: Path
) -> None:
    dice = random.Random(7)
    lives = [dice.uniform(0.1, 0.8) for _ in range(16)]
    crowd = Crowd(processes=32, calls=100, cap=1_500_000, worst=20_000, lives=lives)
    seen = run(workspace.control_url, prepare(workspace, crowd), crowd, tmp_path)
    assert seen.overshoot <= 0
    assert seen.looks > 3  # while they spent; how often depends on the machine

    later = dt.datetime.now(dt.UTC) + wallet.HOLD_LIFETIME
    late = Store(workspace.control_url, clock=lambda: later)
    with late.write() as tx:
        left = wallet.sweep(tx)
    # What the killed ones held is unknown now: neither spent nor free to be forgotten.
    by_wallet = _rows(late)
    for wallet_id, row in by_wallet.items():
        assert row.held_nano_usd == 0
        assert row.swept_nano_usd == sum(hold.amount_nano_usd for hold in left if hold.wallet_id == wallet_id)
        assert row.spent_nano_usd <= crowd.cap
    with late.read() as connection:
        assert connection.execute(sa.select(holds)).all() == []
    assert by_wallet[TEAM].spent_nano_usd + by_wallet[TEAM].swept_nano_usd >= 0.95 * crowd.cap
    late.close()


def test_a_load_of_coding_agents_uses_the_cap_instead_of_being_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    # The worst case of one call is the whole cap; real calls cost 1 to 5 % of what they held.
    crowd = Crowd(processes=4, calls=40, cap=2_000_000, worst=2_000_000, top_share=0.05)
    seen = run(workspace.control_url, prepare(workspace, crowd), crowd, tmp_path)
    assert seen.overshoot <= 0
    store = Store(workspace.control_url)
    row = _rows(store)[TEAM]
    store.close()
    assert row.held_nano_usd == 0
    assert len(seen.hold_ms) > 40  # calls that were made
    assert row.spent_nano_usd >= 0.75 * crowd.cap
