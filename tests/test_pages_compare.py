"""Comparing with a chosen period: in the URL, with what each number rests on, and never with itself."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from app import identity
from app.views._parts.controls import Period
from app.warehouse import Scoped
from ingest.workspace import Workspace
from tests import pages_world
from tests.pages_world import LEAD
from tests.test_pages_views import opened, texts


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return pages_world.demo()


@pytest.fixture(autouse=True)
def _used(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))


def rows_of_lead() -> Scoped:
    place = identity.premises()
    warehouse = place.warehouse()
    assert warehouse is not None
    return warehouse.for_person(identity.scope_of(identity.person(place.desk, LEAD)))


def last_day(scoped: Scoped) -> dt.date:
    """The last day of the data, in the company's zone as the pages count."""
    until = scoped.query("freshness", is_demo=True).row(0, named=True)["demo_data_until"]
    zone = identity.premises().desk.company().time_zone
    return until.astimezone(ZoneInfo(zone)).date()


def ended(scoped: Scoped, first: dt.date, last: dt.date, **also: bool) -> int:
    """Runs that ended on these days, counted by a statement of their own."""
    days = {"first_date": first, "last_date": last}
    return scoped.row_count("fct_runs", is_demo=True, is_terminal=True, is_delegated=False, **days, **also)


def captions(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(one.value).replace("\N{NO-BREAK SPACE}", " ") for one in app.caption)


def reading(app: AppTest) -> str:
    """The line under the tiles: which days, against which."""
    return next(line for line in captions(app).splitlines() if "95 % intervals" in line)


def test_own_days_in_the_url_are_compared_with_n_and_interval_on_both() -> None:
    scoped = rows_of_lead()
    last = last_day(scoped) - dt.timedelta(days=9)
    first = last - dt.timedelta(days=6)
    app = opened("fleet", LEAD, days="7", vs="own", vs_from=f"{first}", vs_to=f"{last}")
    successes, runs = ended(scoped, first, last, is_success=True), ended(scoped, first, last)
    told = captions(app)
    assert re.search(rf"against [\d.]+ % · {successes:,} of {runs:,} · 95 %: \d+–\d+ %", told)
    assert f"against {runs:,}" in told
    assert f"against {first:%-d %b}" in reading(app)
    assert [metric.delta for metric in app.metric if metric.label == "Runs"] != [""]


def test_days_of_another_number_are_compared_in_rates_and_not_in_sums() -> None:
    last = last_day(rows_of_lead()) - dt.timedelta(days=9)
    first = last - dt.timedelta(days=2)
    app = opened("fleet", LEAD, days="7", vs="own", vs_from=f"{first}", vs_to=f"{last}")
    assert "counts and sums of 7 and 3 days have no change" in reading(app)
    deltas = {metric.label: metric.delta for metric in app.metric}
    assert deltas["Runs"] == ""
    assert deltas["Success rate"] != ""


def test_days_that_overlap_show_no_change_and_say_why() -> None:
    last = last_day(rows_of_lead())
    app = opened("fleet", LEAD, days="7", vs="own", vs_from=f"{last - dt.timedelta(days=9)}", vs_to=f"{last}")
    assert "overlaps with it, so no change is shown" in reading(app)
    assert {metric.delta for metric in app.metric} == {""}
    assert any("overlaps with the period shown" in str(one.value) for one in app.markdown)


def test_the_same_weeks_a_quarter_earlier_are_said_to_be_missing_where_the_history_is_short() -> None:
    app = opened("fleet", LEAD, days="7", vs="quarter")
    assert "is not whole: the first run is of" in reading(app)
    assert {metric.delta for metric in app.metric} == {""}


@pytest.mark.parametrize(
    "days",
    [
        {"vs": "own", "vs_from": "2026-09-09", "vs_to": "2026-09-01"},
        {"vs": "own", "vs_from": "yesterday", "vs_to": "0"},
        {"vs": "own", "vs_from": "0001-01-01", "vs_to": "0001-01-02"},
        {"vs": "own", "vs_from": "9999-12-30", "vs_to": "9999-12-31"},
        {"vs": "own"},
        {"vs": "version 3"},
        {"vs": "v3"},
    ],
)
def test_days_that_are_none_in_the_url_are_those_before(days: dict[str, str]) -> None:
    first = last_day(rows_of_lead()) - dt.timedelta(days=13)
    app = opened("fleet", LEAD, days="7", **days)
    assert f"against {first:%-d %b}" in reading(app)


def test_an_agent_is_compared_with_the_days_of_an_earlier_version() -> None:
    scoped = rows_of_lead()
    versions = (
        scoped.query("versions", is_demo=True, agent_id="refund-agent").sort("agent_version").to_dicts()
    )
    assert len(versions) > 1
    app = opened("agent", LEAD, agent="refund-agent", days="7", vs="v1")
    assert "Against version 1" in "\n".join(texts(app))
    # It ends on the day before the next one, or before the days shown.
    replaced = versions[0]["in_force_until_at"].astimezone(ZoneInfo("Europe/Berlin")).date()
    last = min(replaced, last_day(scoped) - dt.timedelta(days=6)) - dt.timedelta(days=1)
    assert f"{last:%-d %b %Y}" in reading(app).partition("against")[2]


def test_own_days_stay_when_the_page_is_left_and_leave_the_url_with_the_choice() -> None:
    last = last_day(rows_of_lead()) - dt.timedelta(days=9)
    first = last - dt.timedelta(days=6)
    app = opened("fleet", LEAD, days="7", vs="own", vs_from=f"{first}", vs_to=f"{last}")
    app.switch_page("views/agents.py").run()
    app.switch_page("views/fleet.py").run()
    own = Period(first_date=first, last_date=last).words
    assert own in reading(app)
    chosen = next(box for box in app.selectbox if box.key == "filter_vs")
    chosen.set_value("before").run()
    assert "vs_from" not in app.query_params
    assert own not in reading(app)
