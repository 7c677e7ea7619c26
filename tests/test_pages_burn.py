"""The forecast band of a team's window, by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from app.views._parts.burn import ahead

FRIDAY = dt.date(2026, 11, 20)
DAYS = [FRIDAY - dt.timedelta(days=back) for back in range(1, 29)]


def spent(weekday: float, weekend: float) -> dict[dt.date, float]:
    return {day: weekend if day.weekday() >= 5 else weekday for day in DAYS}


def test_days_that_never_differ_leave_no_room_for_doubt() -> None:
    found = ahead(100.0, spent(10.0, 1.0), FRIDAY, dt.date(2026, 11, 25))
    assert list(found) == [FRIDAY + dt.timedelta(days=n) for n in range(5)]
    # Saturday and Sunday take 1 each, Monday and Tuesday 10 each.
    assert [one.middle for one in found.values()] == [100.0, 101.0, 102.0, 112.0, 122.0]
    assert all(one.low == one.middle == one.high for one in found.values())


def test_the_band_widens_with_the_root_of_the_days_and_never_falls_under_what_is_spent() -> None:
    by_day = spent(10.0, 1.0)
    for place, day in enumerate(day for day in DAYS if day.weekday() < 5):
        by_day[day] = 0.0 if place % 2 else 20.0
    found = ahead(100.0, by_day, FRIDAY, dt.date(2026, 11, 28))
    monday, tuesday = found[dt.date(2026, 11, 23)], found[dt.date(2026, 11, 24)]
    # Twenty working days, ten of 0 and ten of 20: the variance is 20 · 100 / 19.
    assert monday.high - monday.middle == pytest.approx(1.2816 * (2000 / 19) ** 0.5)
    assert tuesday.high - tuesday.middle == pytest.approx(1.2816 * (4000 / 19) ** 0.5)
    assert monday.low == max(monday.middle - (monday.high - monday.middle), 100.0) == 100.0


def test_too_few_days_make_no_forecast() -> None:
    few = {day: 1.0 for day in DAYS[:5]}
    assert ahead(100.0, few, FRIDAY, dt.date(2026, 11, 25)) == {}
