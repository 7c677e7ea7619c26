"""Runs on several machines: one PostgreSQL, one S3 store; machines die, are cut off, and promises hold."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingest.events import TYPE_BY_NAME
from ingest.log.checkpoint import notarise
from ingest.log.verify import verify
from ingest.reader import rows_where
from ingest.shared.joining import join
from ingest.shared.refreshing import refresh
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.presence import Presence
from runner.control.store import RUN_FAMILIES
from runner.control.tables import holds, outbox, runs, wallets
from tests import postgres
from tests.conftest import ROOT
from tests.machine_kills import RUNS
from tests.object_server import BUCKET, object_server, use
from tests.runner_company import events


def test_machines_that_die_and_are_cut_off_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)
    effects = tmp_path / "effects.txt"
    effects.touch()
    with object_server() as s3, postgres_server.database() as url:
        use(monkeypatch, s3)
        monkeypatch.setenv("FLEETBOOK_CONTROL_URL", url)
        one, other, reader = (Workspace.create(tmp_path / name) for name in ("a", "b", "reader"))
        for machine in (one, other, reader):
            join(machine, f"s3://{BUCKET}/runs")
        subprocess.run(
            [sys.executable, "-m", "tests.machine_kills", str(tmp_path), "7", "4"],
            cwd=ROOT,
            env={**os.environ, "EFFECTS_FILE": str(effects)},
            check=True,
            timeout=600,
        )
        for machine in (one, other, reader):
            refresh(machine)
        kept = tmp_path / "kept.checkpoint"
        kept.write_text(notarise(reader.record).note, encoding="utf-8")
        report = verify(reader.record, 3, against=[kept])
        assert report.findings == ()
        with Control(reader) as control, control.store.read() as connection:
            played = connection.execute(sa.select(runs)).all()
            purses = connection.execute(sa.select(wallets)).all()
            assert connection.execute(sa.select(outbox)).all() == []
            assert connection.execute(sa.select(holds)).all() == []
    # Each run ended, whichever machines played it, and the record has all that its end declares.
    assert len(played) == RUNS
    for run in played:
        assert run.status == "ended", run
        own = [
            event
            for event in events(reader, run.run_id)
            if TYPE_BY_NAME[str(event["event_type"])].family in RUN_FAMILIES
        ]
        assert own[-1]["event_type"] == "run_ended"
        assert own[-1]["declared_event_count"] == len(own)
    # The key of a refund names its run and call: none was paid twice.
    refunds = [line for line in effects.read_text().splitlines() if line.startswith("refund")]
    assert len(refunds) == len(set(refunds)) > 2
    assert sum_by_team(reader) == {"support": spent_by_team(purses)}


def sum_by_team(workspace: Workspace) -> dict[str, int]:
    """What the record says that each team's calls cost, each event once, in nano-USD."""
    names = ["event_id", "team_id", "list_cost_nano_usd", "event_type"]
    costs = {}
    for table in rows_where(workspace, names, "event_type", "turn_finished"):
        for row in table.to_pylist():
            costs[row["event_id"]] = (row["team_id"], row["list_cost_nano_usd"] or 0)
    total: dict[str, int] = {}
    for team, cost in costs.values():
        total[team] = total.get(team, 0) + cost
    return total


def spent_by_team(purses: list[sa.Row[tuple[object, ...]]]) -> int:
    """What the team's wallet says was spent."""
    (team,) = [row for row in purses if "team" in row.wallet_id and row.spent_nano_usd]
    assert team.held_nano_usd == 0
    return int(team.spent_nano_usd)


def test_two_machines_of_one_host_name_do_not_take_each_other_for_dead(tmp_path: Path) -> None:
    one, other = (Presence(Workspace.create(tmp_path / name)) for name in ("a", "b"))
    now = dt.datetime.now(dt.UTC)
    soon = now + dt.timedelta(seconds=60)
    assert not other.is_gone(one.owner, soon, now)
    assert other.is_gone(one.owner, now, now)  # its lease ran out
    again = Presence(Workspace.open(tmp_path / "a"))
    assert not again.is_gone(one.owner, soon, now)
    owner = one.owner
    one.close()
    assert again.is_gone(owner, soon, now)
    other.close()
