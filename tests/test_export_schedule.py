"""Scheduled exports: whole periods are brought to their place, what is missing or differs is named."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import ExportError
from app.export import scheduled
from app.export.places import place
from app.export.scheduled import Declared, Period
from ingest.workspace import Workspace
from tests import pages_world
from tests.sink_stubs import ObjectStore

ROOT = Path(__file__).resolve().parent.parent


def declared(**about: object) -> Declared:
    return Declared.model_validate(
        {"table": "fct_runs", "as": "ada", "every": "month", "to": "/x", "since": "2026-01-15", **about}
    )


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    store = ObjectStore()
    thread = threading.Thread(target=store.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{store.server_address[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield "s3://finance/fleetbook"
    store.shutdown()
    thread.join()
    store.server_close()


def test_only_whole_periods_are_due() -> None:
    months = list(scheduled.periods(declared(), dt.date(2026, 3, 30)))
    assert [one.first_date for one in months] == [dt.date(2026, 1, 1), dt.date(2026, 2, 1)]
    assert months[-1].last_date == dt.date(2026, 2, 28)
    weeks = list(scheduled.periods(declared(every="week", since="2026-11-04"), dt.date(2026, 11, 15)))
    assert weeks == [
        Period(first_date=dt.date(2026, 11, 2), last_date=dt.date(2026, 11, 8)),
        Period(first_date=dt.date(2026, 11, 9), last_date=dt.date(2026, 11, 15)),
    ]
    days = list(scheduled.periods(declared(every="day", since="2026-02-27"), dt.date(2026, 3, 1)))
    assert [one.first_date.day for one in days] == [27, 28, 1]


@pytest.mark.parametrize(
    "text",
    [
        "monthly: {table: fct_runs}",
        "monthly: {table: fct_runs, as: a, every: year, to: /x, since: 2026-01-01}",
        "- a",
        "a: {table: t, as: a, every: day, to: /x, since: 2026-01-01, password: x}",
        "a: [",
    ],
)
def test_an_exports_file_that_cannot_be_read_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / scheduled.FILE_NAME).write_text(text)
    with pytest.raises(ExportError, match=r"exports\.yaml"):
        scheduled.declared(tmp_path)


def test_an_object_store_gets_each_file_once(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    there = place(bucket)
    assert there.read("runs/2026-01/rows.csv") is None
    there.put("runs/2026-01/rows.csv", tmp_path / "rows.csv")
    assert there.read("runs/2026-01/rows.csv") == b"a\n1\n"
    with pytest.raises(ExportError, match="did not take it"):
        there.put("runs/2026-01/rows.csv", tmp_path / "rows.csv")


def fleetbook(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "FLEETBOOK_HOME": str(workspace.root)},
    )


def test_what_is_due_is_brought_once_and_a_gap_or_a_change_is_reported(tmp_path: Path) -> None:
    workspace = pages_world.copy(tmp_path / "own")
    target = tmp_path / "out"
    since = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=16)
    (workspace.root / scheduled.FILE_NAME).write_text(
        f"runs: {{table: fct_runs, every: week, as: mara-lindt, to: {target}, since: {since}, format: csv}}\n"
    )
    before = fleetbook(workspace, "exports", "gaps")
    assert before.returncode == 1
    assert "missing: not there" in before.stdout
    brought = fleetbook(workspace, "exports", "run")
    assert brought.returncode == 0, brought.stdout + brought.stderr
    folders = sorted(target.glob("runs/*"))
    assert len(folders) >= 2
    assert {path.name for path in folders[0].iterdir()} == {"fct_runs.csv", "manifest.json"}
    assert all(
        ",support," in line or '"support"' in line
        for line in (folders[0] / "fct_runs.csv").read_text().splitlines()[1:]
    )
    again = fleetbook(workspace, "exports", "run")
    assert (again.returncode, again.stdout.splitlines()[0][:11]) == (0, "0 delivered")
    (folders[0] / "fct_runs.csv").write_text("changed")
    after = fleetbook(workspace, "exports", "gaps")
    assert after.returncode == 1
    assert "changed: fct_runs.csv is not the file that was exported" in after.stdout
