"""The wallet gate under a crowd: overshoot, cap used, holds leaked, ms per hold; beside check, then charge.

A crowd of processes spends from two shared wallets at random real costs of 1 to 100 % of the worst case, on
SQLite and on PostgreSQL (its own server, with fsync). Beside it, a model of "check, then charge" under
the same load: read what was spent, call, add the cost. ``--litellm=COMMAND`` measures the LiteLLM proxy too,
from an environment of its own in which ``pip install "litellm[proxy]"`` was done.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.store import Store
from runner.control.tables import holds, wallets
from tests import postgres
from tests.benchmarks import _proxy as _litellm
from tests.benchmarks._figures import limit, note
from tests.wallet_crowd import Crowd, Seen, prepare, run

PROCESSES = 16
CAP, WORST = 10_000_000, 20_000
TEAM = "team:support:month"


def main(options: Sequence[str] = ()) -> None:
    """Print one line per gate."""
    unknown = [option for option in options if not option.startswith("--litellm=")]
    if unknown:
        raise SystemExit(
            f"No such option: {' '.join(unknown)}. There is --litellm=<command of its environment>."
        )
    print(f"{PROCESSES} processes, cap = {CAP // WORST} worst cases, real cost 1-100 % of the worst case")
    with _workspace(None) as workspace:
        _measure("SQLite", workspace)
    binaries = postgres.find_binaries()
    if binaries is None:
        print("PostgreSQL: no server binaries on this machine")
    else:
        durable = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
        with (
            postgres.server(binaries, *durable) as server,
            server.database() as url,
            _workspace(url) as workspace,
        ):
            _measure("PostgreSQL", workspace)
    _check_then_charge()
    for option in options:
        _proxy(Path(option.partition("=")[2]))


def _proxy(command: Path) -> None:
    try:
        found = _litellm.measure(command)
    except (RuntimeError, OSError) as error:
        print(f"LiteLLM proxy      not measured: {error}")
        return
    over = max(found.spent_usd - _litellm.CAP_USD, 0) / _litellm.CAP_USD
    print(
        f"{'LiteLLM proxy':<18} overshoot {over:7.2%}  cap used {found.spent_usd / _litellm.CAP_USD:7.2%}  "
        f"{found.calls} calls of {_litellm.CLIENTS} clients, {found.cpu_ms:.1f} ms of its CPU per call"
    )


@contextmanager
def _workspace(url: str | None) -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory() as folder:
        if url is not None:
            os.environ["FLEETBOOK_CONTROL_URL"] = url
        try:
            yield Workspace.create(Path(folder) / "workspace")
        finally:
            os.environ.pop("FLEETBOOK_CONTROL_URL", None)


def _measure(name: str, workspace: Workspace) -> None:
    crowd = Crowd(processes=PROCESSES, calls=10_000, cap=CAP, worst=WORST)
    taken = prepare(workspace, crowd)
    begun = time.perf_counter()
    seen = run(workspace.control_url, taken, crowd, workspace.root)
    took_s = time.perf_counter() - begun
    later = dt.datetime.now(dt.UTC) + wallet.HOLD_LIFETIME
    store = Store(workspace.control_url, clock=lambda: later)
    with store.write() as tx:
        wallet.sweep(tx)
    with store.read() as connection:
        spent = connection.execute(
            sa.select(wallets.c.spent_nano_usd).where(wallets.c.wallet_id == TEAM)
        ).scalar_one()
        leaked = len(connection.execute(sa.select(holds)).all())
    store.close()
    _print(name, seen, spent, leaked, took_s)


def _print(name: str, seen: Seen, spent: int, leaked: int, took_s: float) -> None:
    times = sorted(seen.hold_ms)
    middle, slowest = times[len(times) // 2], times[-1]
    note("wallet", f"{name}: overshoot of the cap", max(seen.overshoot, 0) / CAP, "share")
    note("wallet", f"{name}: cap used", spent / CAP, "share", beside=limit("the cap", 1.0))
    note("wallet", f"{name}: holds leaked", leaked, "holds")
    note("wallet", f"{name}: a hold, median of {PROCESSES} processes", middle, "ms")
    each = len(times) / took_s
    note("wallet", f"{name}: holds and settlements a second", each, "1/s", key=f"holds_per_s_{name.lower()}")
    print(
        f"{name:<18} overshoot {max(seen.overshoot, 0) / CAP:7.2%}  cap used {spent / CAP:7.2%}  "
        f"holds leaked {leaked}  {middle:.2f} ms per hold (slowest {slowest:.0f})  "
        f"{len(times) / took_s:.0f} holds and settlements a second  {seen.looks} looks of a reader"
    )


def _check_then_charge() -> None:
    """The same load on a counter that is read before a call and added to after it, by simulated time."""
    overshoots = []
    for seed in range(200):
        dice = random.Random(seed)
        spent, running = 0, [0.0] * PROCESSES
        charges: list[tuple[float, int]] = []
        while True:
            at = min(running)
            worker = running.index(at)
            spent += sum(cost for ends, cost in charges if ends <= at)
            charges = [one for one in charges if one[0] > at]
            if spent >= CAP:
                break
            running[worker] = at + dice.uniform(0.5, 1.5)
            charges.append((running[worker], dice.randint(WORST // 100, WORST)))
        overshoots.append(spent + sum(cost for _, cost in charges) - CAP)
    mean, most = sum(overshoots) / len(overshoots), max(overshoots)
    note("wallet", "check, then charge (model of the peer): overshoot of the cap, mean", mean / CAP, "share")
    print(
        f"{'check, then charge':<18} overshoot {mean / CAP:7.2%} on average, {most / CAP:.2%} at most, of 200"
    )
