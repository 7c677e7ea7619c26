"""Searching the texts of runs: what is found, what is not looked at, and encrypted texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.desk import Desk
from ingest.payload_keys import add_key
from ingest.payload_search import runs_with_text
from ingest.workspace import Workspace
from tests.runner_company import company, play
from tests.test_workbench import logged

TASK = "Refund order W-1001 because the Samovar arrived broken"


@pytest.fixture
def desk(workspace: Workspace) -> Desk:
    """A company with one run of support whose task names a samovar."""
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    return Desk.open(workspace)


def run_of(desk: Desk) -> str:
    (event,) = logged(desk.control.workspace, "run_requested")
    return str(event["run_id"])


def words(workspace: Workspace, wanted: str) -> frozenset[str]:
    return runs_with_text(workspace, wanted, first_month="2026-01", seconds=30).run_ids


def test_words_are_found_in_whatever_case_and_only_where_they_are(desk: Desk) -> None:
    workspace = desk.control.workspace
    run_id = run_of(desk)
    assert words(workspace, "samovar") == words(workspace, "SAMOVAR ARRIVED") == {run_id}
    assert words(workspace, "teapot") == frozenset()
    assert words(workspace, "Sa") == frozenset()  # too short to mean anything
    assert words(workspace, "sam%var") == words(workspace, "sam.var") == frozenset()
    desk.close()


def test_texts_before_the_period_are_not_read_and_unread_months_are_named(desk: Desk) -> None:
    workspace = desk.control.workspace
    assert runs_with_text(workspace, "samovar", first_month="2999-01", seconds=30).run_ids == frozenset()
    late = runs_with_text(workspace, "samovar", first_month="2026-01", seconds=-1.0)
    assert late.unread_month is not None
    assert runs_with_text(workspace, "samovar", first_month="2026-01", seconds=30).unread_month is None
    desk.close()


def test_encrypted_texts_are_found_with_their_key_and_counted_without_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_key(tmp_path / "key")
    monkeypatch.setenv("FLEETBOOK_PAYLOAD_KEY", str(tmp_path / "key"))
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    assert len(words(workspace, "samovar")) == 1
    monkeypatch.delenv("FLEETBOOK_PAYLOAD_KEY")
    without = runs_with_text(workspace, "samovar", first_month="2026-01", seconds=30)
    assert without.run_ids == frozenset()
    assert without.locked > 0
