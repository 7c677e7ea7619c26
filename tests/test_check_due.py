"""The monthly check that comes by itself: on which day, once, and who hears of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from app.checks.due import check_due, due_month, first_working_day
from app.checks.results import Answer
from app.checks.stored import store
from app.errors import CheckError
from ingest.reader import rows_where
from ingest.workspace import Workspace
from runner.control.plane import Control
from tests import check_world as world
from tests.conftest import Clock
from tests.runner_company import company


def told(workspace: Workspace) -> list[str]:
    """The notices of the check, by their titles."""
    columns = ["event_type", "notice_kind", "reason"]
    rows = [
        one
        for table in rows_where(workspace, columns, "event_type", "notice_raised")
        for one in table.to_pylist()
    ]
    return [str(row["reason"]) for row in rows if row["notice_kind"] == "monthly-check"]


@pytest.mark.parametrize(
    ("month", "holidays", "day"),
    [
        (dt.date(2026, 11, 1), (), 2),  # the first is a Sunday
        (dt.date(2026, 10, 1), (), 1),
        (dt.date(2027, 1, 1), (dt.date(2027, 1, 1),), 4),  # Friday, and then a weekend
        (dt.date(2026, 8, 15), (dt.date(2026, 8, 3), dt.date(2026, 8, 4)), 5),
    ],
)
def test_the_first_working_day_is_no_weekend_and_no_holiday(
    month: dt.date, holidays: tuple[dt.date, ...], day: int
) -> None:
    assert first_working_day(month, holidays).day == day


def test_a_month_is_due_from_its_working_day_on_until_it_has_an_answer(tmp_path: Path) -> None:
    workspace = world.clean(tmp_path / "workspace")
    days = {
        (10, 31): None,  # not over
        (11, 1): None,  # a Sunday
        (11, 2): world.MONTH,
        (11, 20): world.MONTH,  # nothing ran on the 2nd
    }
    with Control(workspace) as control:
        for (month, day), due in days.items():
            moment = dt.datetime(2026, month, day, 9, tzinfo=dt.UTC)
            asked = due_month(control, moment)
            assert asked == (due or (dt.date(2026, 9, 1) if month == 10 else None)), moment
        answer = Answer(
            month=world.MONTH, results=(), checkpoint_size=None, checkpoint_root=None, is_verified=True,
            build_id="", late_events=0,
        )  # fmt: skip
        store(workspace, answer, dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC))
        assert due_month(control, dt.datetime(2026, 11, 3, 9, tzinfo=dt.UTC)) is None


def test_a_holiday_is_waited_for_and_a_month_before_the_log_is_not_due(
    workspace: Workspace, clock: Clock
) -> None:
    zone = ("time_zone: Europe/Berlin", "time_zone: Europe/Berlin, holidays: [2026-12-01]")
    with company(workspace, zone, clock=clock) as control:
        assert due_month(control, clock()) is None  # nothing is sealed yet
    with Control(workspace) as control:
        november = dt.date(2026, 11, 1)
        for day, due in ((1, None), (2, november)):
            assert due_month(control, dt.datetime(2026, 12, day, 9, tzinfo=dt.UTC)) == due
        assert due_month(control, clock()) is None  # of October nothing was recorded


def test_a_check_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    workspace = world.clean(tmp_path / "workspace")
    (workspace.root / "check_parameters.yaml").write_text("min_revew_s: 5\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(CheckError, match="Thresholds not read"):
            check_due(workspace, world.MONTH, say=lambda text: None)
    assert told(workspace) == ["The check of 2026-10 could not be made"]
