"""Workers that die at any moment, while schedules fire and people decide: what was promised holds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from ingest.events import TYPE_BY_NAME
from ingest.log.recover import recover as recover_log
from ingest.log.verify import verify
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.store import RUN_FAMILIES
from runner.control.tables import holds, outbox, runs, schedule_slots, wallets
from tests.conftest import ROOT
from tests.log_told import told_of
from tests.runner_company import events


def test_killed_workers_lose_nothing_and_do_nothing_twice(workspace: Workspace, tmp_path: Path) -> None:
    effects = tmp_path / "effects.txt"
    effects.touch()
    subprocess.run(
        [sys.executable, "-m", "tests.runner_kills", str(workspace.root), "3", "5"],
        cwd=ROOT,
        env={**os.environ, "EFFECTS_FILE": str(effects)},
        check=True,
        timeout=300,
    )
    recover_log(workspace)
    with Control(workspace) as control, control.store.read() as connection:
        played = connection.execute(sa.select(runs)).all()
        slots = connection.execute(sa.select(schedule_slots)).all()
        assert connection.execute(sa.select(outbox)).all() == []
        assert connection.execute(sa.select(holds)).all() == []
        assert set(connection.execute(sa.select(wallets.c.held_nano_usd)).scalars()) == {0}
    # Every slot is one event, and every fired slot one run.
    told = [*told_of(workspace, "schedule_fired"), *told_of(workspace, "schedule_missed")]
    assert Counter((event["rule_id"], event["slot_at"]) for event in told) == Counter(
        (slot.schedule_id, slot.slot_at) for slot in slots
    )
    fired = [slot.run_id for slot in slots if slot.status == "fired"]
    assert sorted(fired) == sorted(run.run_id for run in played)
    assert len(fired) > 2  # how many depends on the machine's load
    # Each run ended, and the log has all that its end declares.
    for run in played:
        assert run.status == "ended", run
        own = [
            event
            for event in events(workspace, run.run_id)
            if TYPE_BY_NAME[str(event["event_type"])].family in RUN_FAMILIES
        ]
        assert own[-1]["event_type"] == "run_ended"
        assert own[-1]["declared_event_count"] == len(own)
    # The key of a refund names its run and call: none was paid twice.
    refunds = [line for line in effects.read_text().splitlines() if line.startswith("refund")]
    assert len(refunds) == len(set(refunds))
    assert {finding.code for finding in verify(workspace).findings} <= {"checkpoint_missing"}
