"""``fleetbook doctor`` and ``serve-metrics``: what is wrong is found, explained and counted."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from app.upkeep.doctor import examine
from app.upkeep.endpoints import application
from app.upkeep.exposition import WorkspaceCollector
from app.upkeep.findings import Finding
from ingest.log.writer import LogWriter, utc_now
from ingest.workspace import Workspace
from tests.log_events import started, write_runs
from tests.runner_company import Command, company, fleetbook, play

__all__ = ["fleetbook"]

TASK = "Refund order 4711, 240 USD, damaged"


def of(found: list[Finding], subject: str) -> list[str]:
    """What was said of ``subject``, as ``state: words``."""
    return [f"{one.state}: {one.words}" for one in found if one.subject == subject]


def looked(workspace: Workspace, subject: str) -> str:
    """The last and worst word on ``subject``."""
    return of(examine(workspace, utc_now()), subject)[-1]


def test_an_empty_workspace_is_not_ill(workspace: Workspace, fleetbook: Command) -> None:
    code, out, _ = fleetbook("doctor")
    assert "there is no registry.yaml" in out
    assert code == 1
    assert not (workspace.root / "control.db").exists()


def test_a_working_company_is_well_but_for_what_it_has_not_done(
    workspace: Workspace, fleetbook: Command
) -> None:
    workspace.root.chmod(0o700)
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    assert fleetbook("notarise")[0] == 0
    assert fleetbook("recover")[0] == 0
    code, out, _ = fleetbook("doctor", "--json")
    found = {one["subject"]: one for one in json.loads(out)}
    assert found["runs"]["words"] == ("0 running, 1 waiting for a person, 0 to be taken up, 0 workers alive")
    assert found["registry"]["state"] == "ok"
    assert found["control store"]["words"] == "control.db is whole"
    assert [name for name, one in found.items() if one["state"] != "ok"] == ["warehouse"]
    assert found["warehouse"]["advice"] == "`fleetbook build` makes it."
    assert code == 1


def test_what_registry_yaml_says_and_nobody_applied_is_counted(workspace: Workspace) -> None:
    with company(workspace):
        pass
    text = workspace.registry_file.read_text(encoding="utf-8")
    workspace.registry_file.write_text(
        text.replace("name: Refund agent", "name: Money back"), encoding="utf-8"
    )
    assert looked(workspace, "registry") == "look: 1 differences between registry.yaml and what is applied"
    workspace.registry_file.write_text("company: [", encoding="utf-8")
    assert looked(workspace, "registry").startswith("broken: it cannot be read: ")


def test_a_missing_file_of_the_log_is_broken(workspace: Workspace, fleetbook: Command) -> None:
    write_runs(workspace, "run-a", 6)
    (sealed,) = workspace.lake_dir.rglob("*.parquet")
    sealed.unlink()
    assert looked(workspace, "log").startswith("broken: 1 files are missing or of another size, the first")
    assert fleetbook("doctor")[0] == 2


def test_a_writer_that_was_killed_is_seen_and_recover_is_the_advice(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="runs") as writer:
        writer.append([started("run-a", 1)])
        name = next(workspace.wal_dir.glob("*.wal"))
        kept = name.read_bytes()
    name.write_bytes(kept)
    workspace.manifest_file.unlink()
    for sealed in workspace.lake_dir.rglob("*.parquet"):
        sealed.unlink()
    (finding,) = [one for one in examine(workspace, utc_now()) if "ended without sealing" in one.words]
    assert (finding.subject, finding.state) == ("log", "look")
    assert finding.words == "1 writers ended without sealing 2 events"  # it opened, and one run started
    assert "`fleetbook recover`" in finding.advice


def test_a_control_store_that_is_damaged_is_broken(workspace: Workspace) -> None:
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    file = workspace.root / "control.db"
    sqlite3.connect(file).execute("pragma wal_checkpoint(truncate)")
    content = bytearray(file.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    file.write_bytes(content)
    assert looked(workspace, "control store").startswith("broken: ")


def test_a_clock_that_was_set_back_is_broken(workspace: Workspace) -> None:
    write_runs(workspace, "run-a", 6)
    yesterday = utc_now() - dt.timedelta(days=1)
    (words,) = of(examine(workspace, yesterday), "clock")
    assert words.startswith("broken: the newest event is of ")


def test_runs_that_nobody_takes_up_want_a_worker(workspace: Workspace) -> None:
    with company(workspace) as control:
        control.request_run("triage-agent", "Sort ticket 7", "jon-vass")
    later = utc_now() + dt.timedelta(minutes=6)
    found = of(examine(workspace, later), "runs")
    assert found[-1].startswith("look: 1 runs wait since ")
    assert of(examine(workspace, utc_now()), "runs")[-1].startswith("ok: ")


def test_a_disk_that_is_nearly_full_is_broken(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    full = shutil.disk_usage(workspace.root)._replace(free=500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert looked(workspace, "disk").startswith("broken: 0.5 of ")


def test_metrics_say_what_the_stores_hold(workspace: Workspace) -> None:
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkspaceCollector(workspace))
    value = registry.get_sample_value
    assert value("fleetbook_runs", {"status": "waiting"}) == 1
    assert value("fleetbook_approvals_waiting") == 1
    assert value("fleetbook_store_readable", {"store": "log"}) == 1
    assert value("fleetbook_log_signed_timestamp_seconds") is None  # never signed is no time
    assert value("fleetbook_warehouse_built_timestamp_seconds") is None
    assert value("fleetbook_log_missing_files") == 0


def test_a_store_that_cannot_be_read_is_absent_and_said(workspace: Workspace) -> None:
    write_runs(workspace, "run-a", 6)
    workspace.manifest_file.write_text("no line of ours\n", encoding="utf-8")
    client = TestClient(application(workspace))
    text = client.get("/metrics").text
    assert 'fleetbook_store_readable{store="log"} 0.0' in text
    assert "fleetbook_log_sealed_events" not in text
    assert 'fleetbook_store_readable{store="disk"} 1.0' in text
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "broken"


def test_looking_changes_nothing(workspace: Workspace) -> None:
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    lines = workspace.manifest_file.read_bytes()
    files = sorted(path for path in workspace.lake_dir.rglob("*.parquet"))
    examine(workspace, utc_now())
    list(WorkspaceCollector(workspace).collect())
    assert workspace.manifest_file.read_bytes() == lines
    assert sorted(path for path in workspace.lake_dir.rglob("*.parquet")) == files
