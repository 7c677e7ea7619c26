"""`fleetbook export` on a built workspace: scope, files, event, and its refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from app.export import manifest
from ingest.reader import snapshot
from ingest.workspace import Workspace
from tests import pages_world

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return pages_world.demo()


def fleetbook(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "FLEETBOOK_HOME": str(workspace.root), "COLUMNS": "200"},
    )


def folder_of(output: str) -> Path:
    return next(Path(line.strip()) for line in output.splitlines() if line.endswith("manifest.json")).parent


@pytest.mark.parametrize("format_", ["csv", "parquet", "xlsx", "jsonl"])
def test_a_manager_exports_own_team_rows_only(format_: str, workspace: Workspace) -> None:
    done = fleetbook(workspace, "export", "fct_approvals", "--format", format_, "--as", "mara-lindt")
    assert done.returncode == 0, done.stderr
    folder = folder_of(done.stdout)
    assert manifest.differences(folder) == []
    told = manifest.read(folder)
    assert told.scope == "teams support"
    assert f"{told.row_count:,} rows of fct_approvals" in done.stdout
    if format_ == "parquet":
        assert set(pl.read_parquet(folder / "fct_approvals.parquet")["team_id"]) == {"support"}


def test_a_filter_can_narrow_the_scope_and_never_widen_it(workspace: Workspace) -> None:
    done = fleetbook(workspace, "export", "fct_runs", "--as", "greta-olsen", "--team", "support")
    assert done.returncode == 0, done.stderr
    assert manifest.read(folder_of(done.stdout)).row_count == 0


def test_days_narrow_the_rows_and_stand_in_the_manifest(workspace: Workspace) -> None:
    whole = fleetbook(workspace, "export", "fct_runs", "--as", "ada-winter")
    days = pl.read_parquet(folder_of(whole.stdout) / "fct_runs.parquet")["run_date"]
    day = sorted(set(days))[-2].isoformat()
    done = fleetbook(workspace, "export", "fct_runs", "--as", "ada-winter", "--from", day, "--to", day)
    told = manifest.read(folder_of(done.stdout))
    assert told.row_count == sum(one.isoformat() == day for one in days)
    assert told.filters == {"first_date": day, "last_date": day}


def test_an_export_is_an_event_with_the_digest_of_its_manifest(workspace: Workspace, tmp_path: Path) -> None:
    done = fleetbook(workspace, "export", "dim_agents", "--as", "theo-keller", "--format", "csv")
    folder = folder_of(done.stdout)
    events = pl.concat(
        [pl.read_parquet(path) for path in snapshot(workspace, tmp_path).files], how="diagonal_relaxed"
    ).filter(pl.col("event_type") == "export_created")
    event = events.filter(pl.col("export_id") == manifest.read(folder).export_id).row(0, named=True)
    assert event["content_sha256"] == manifest.read(folder).sha256
    assert event["row_count"] == manifest.read(folder).row_count
    assert event["person_id"] == "theo-keller"
    assert json.loads(event["filter_text"])["mart"] == "dim_agents"
    assert event["event_id"] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("fct_runs", "--as", "nobody"), 2, "there is no person 'nobody'"),
        (("fct_runs", "--as", "jon-vass"), 1, "Access refused"),
        (("fct_walks", "--as", "ada-winter"), 1, "there is no table 'fct_walks'"),
        (("fct_runs", "--as", "ada-winter", "--format", "doc"), 1, "there is no format 'doc'"),
        (("fct_runs", "--as", "ada-winter", "--from", "2026-13-01"), 2, "is no day"),
        (("dim_teams", "--as", "ada-winter", "--agent", "refund-agent"), 2, "no column 'agent_id'"),
    ],
)
def test_a_refusal_says_why_and_writes_nothing(
    arguments: tuple[str, ...], code: int, sentence: str, workspace: Workspace
) -> None:
    before = sorted(workspace.export_dir.iterdir())
    done = fleetbook(workspace, "export", *arguments)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert sorted(workspace.export_dir.iterdir()) == before
