"""A refresh with nothing new costs next to nothing, and never hides something new."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.build import build
from app.cli import app
from app.errors import BuildBusy
from app.generations import BuildFolder
from app.standing import checked_at, up_to_date
from ingest.log.compact import compact
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.test_warehouse_build import small as small  # the project of two models
from tests.warehouse_world import NOW, REGISTRY, Scribe

NOON = dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC)


def sign_in(log: LogWriter) -> None:
    Scribe(log).tell("signed_in", "11-02 09:00:00", person_id="ada")


def test_the_second_build_of_one_log_is_not_made(workspace: Workspace, small: Path) -> None:
    assert up_to_date(workspace, small, NOON) is None
    made = build(workspace, project=small, now=NOON)
    assert checked_at(workspace, made.build_id) is None
    later = NOON + dt.timedelta(minutes=5)
    checked = up_to_date(workspace, small, later)
    assert checked is not None
    assert str(checked.build_id) == made.build_id
    assert checked_at(workspace, made.build_id) == later
    assert checked_at(workspace, "7") is None


def test_an_event_of_an_open_writer_is_seen(workspace: Workspace, small: Path) -> None:
    with LogWriter(workspace, recorded_via="app", process_name="test", clock=lambda: NOW) as writer:
        sign_in(writer)
        build(workspace, project=small, now=NOON)
        assert up_to_date(workspace, small, NOON) is not None
        sign_in(writer)
        assert up_to_date(workspace, small, NOON) is None


def test_another_registry_release_or_day_is_seen(workspace: Workspace, small: Path) -> None:
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")
    build(workspace, project=small, now=NOON)
    assert up_to_date(workspace, small, NOON) is not None
    assert up_to_date(workspace, small, NOON + dt.timedelta(days=1)) is None
    workspace.registry_file.write_text(REGISTRY + "\n# read again\n", encoding="utf-8")
    assert up_to_date(workspace, small, NOON) is None
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")
    (small / "models" / "fct_runs.sql").write_text("select 1 as build_id", encoding="utf-8")
    assert up_to_date(workspace, small, NOON) is None


def test_compaction_moves_events_and_asks_for_no_build(workspace: Workspace, small: Path) -> None:
    for _ in range(3):
        with LogWriter(workspace, recorded_via="app", process_name="test", clock=lambda: NOW) as writer:
            sign_in(writer)
    build(workspace, project=small, now=NOON)
    compact(workspace, patience_s=0)
    assert up_to_date(workspace, small, NOON) is not None


def test_the_command_says_so_and_builds_when_told(workspace: Workspace) -> None:
    at = ["--workspace", str(workspace.root)]
    runner = CliRunner()
    build(workspace)
    again = runner.invoke(app, [*at, "build"])
    assert again.exit_code == 0
    assert again.output.startswith("Build 1 is up to date (checked ")
    assert "Up to date when checked at" in runner.invoke(app, [*at, "warehouse"]).output
    with BuildFolder(workspace.build_dir).builder(), pytest.raises(BuildBusy):
        runner.invoke(app, [*at, "build", "--force"], catch_exceptions=False)
