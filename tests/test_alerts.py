"""Alerts on metrics: measured over a log worked out by hand, raised once, ended when quiet."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier

import pytest
from typer.testing import CliRunner

from app.alerting import Reading, evaluate, measure
from app.cli import app
from ingest.workspace import Workspace
from runner.control.alerts import Finding, acknowledge, follow, listed
from runner.control.plane import Control
from runner.control.registry import Registry
from runner.control.registry_extras import Alert
from runner.control.sending import send_due
from runner.errors import AccessRefused, AlertRefused, RegistryInvalid
from tests.conftest import Clock
from tests.runner_company import company, registry
from tests.sealed_log import sealed_events
from tests.warehouse_world import NOW, world

pytestmark = pytest.mark.both_engines

ON_3_NOVEMBER = dt.datetime(2026, 11, 4, 12, tzinfo=dt.UTC)
"""A moment whose yesterday is 3 November: two terminal runs of support, 0.35 USD and an unknown cost."""


def declared(*lines: str) -> tuple[str, str]:
    return ("prices:\n", "alerts:\n" + "".join(f"  - {{{line}}}\n" for line in lines) + "prices:\n")


def readings(now: dt.datetime, **alert: object) -> dict[str, Reading]:
    """What one alert finds over the world of tests/warehouse_world.py, by target."""
    made = Registry.model_validate(
        {
            "company": {"name": "Test", "time_zone": "Europe/Berlin"},
            "roles": {}, "people": {},
            "teams": {
                team: {"name": team, "manager": "ada", "cost_center": "1"}
                for team in ("support", "sales", "office")
            },
            "alerts": [{"id": "a", "no_data": "wait", "least": 1, **alert}],
        }
    )  # fmt: skip
    return {one.target: one for one in measure(world().warehouse, made, now, is_demo=False)}


@pytest.mark.parametrize(
    ("bound", "verdict"),
    [({"above": 1}, "true"), ({"above": 2}, "false"), ({"below": 3}, "true"), ({"below": 2}, "false")],
)
def test_a_threshold_is_passed_or_not_and_equal_is_within(bound: dict[str, int], verdict: str) -> None:
    """Three runs of support reached their end by 3 November: rejected, failed, lost."""
    (one,) = readings(ON_3_NOVEMBER, metric="tool_error_rate", above="0.9").values()
    assert one.verdict == "true"
    assert one.observed == 1  # the only tool call of the day failed
    runs = readings(ON_3_NOVEMBER, metric="runs", **bound)["fleet"]
    told = runs.sentence
    assert told.isprintable()  # it goes to terminals and mail
    assert runs.observed is not None
    assert "2026-11-03" in told
    assert runs.verdict == ("true" if _holds(bound, int(runs.observed)) else "false")


def _holds(bound: dict[str, int], value: int) -> bool:
    return value > bound["above"] if "above" in bound else value < bound["below"]


def test_under_the_smallest_n_there_is_no_data() -> None:
    (one,) = readings(ON_3_NOVEMBER, metric="tool_error_rate", above="0.1", least=2).values()
    assert (one.verdict, one.observed) == ("no_data", None)
    assert "n = 1 of at least 2" in one.sentence


def test_where_the_data_does_not_reach_there_is_no_data_not_even_of_a_count() -> None:
    (one,) = readings(NOW + dt.timedelta(days=30), metric="runs", below="5").values()
    assert one.verdict == "no_data"


def test_a_change_is_against_the_mean_of_its_own_history() -> None:
    """2 November cost 0.35 (0.10 + 0.05 + 0.20), 1 November 1.40 (Berlin time), 3 November 0.35."""
    change = {"metric": "cost_usd", "change_above": "0.5"}
    third = readings(ON_3_NOVEMBER, **change, history=1)["fleet"]
    assert third.observed == pytest.approx(0)
    second = readings(ON_3_NOVEMBER - dt.timedelta(days=1), metric="cost_usd", change_below="-0.5", history=1)
    assert second["fleet"].verdict == "true"
    assert second["fleet"].observed == pytest.approx(-0.75)  # 0.35 after 1.40
    young = readings(ON_3_NOVEMBER, **change, history=26, days=7)["fleet"]
    assert (young.verdict, young.observed) == ("no_data", None)


# 229 of the 720 hours of November (Berlin) had passed on the 10th at 12:00 UTC.
@pytest.mark.parametrize(
    ("team", "observed"),
    [
        (None, 1.12 / 12 * 720 / 229),  # 29.3 %: support 0.72 of 10 USD and sales 0.40 of 2 USD
        ("support", 0.72 / 10 * 720 / 229),  # 22.6 %
        ("sales", 0.40 / 2 * 720 / 229),  # 62.9 %
    ],
)
def test_a_forecast_is_the_spend_so_far_at_the_same_speed_to_the_end_of_the_month(
    team: str | None, observed: float
) -> None:
    over, under = str(round(observed + 0.001, 4)), str(round(observed - 0.001, 4))
    for bound, verdict in ((over, "false"), (under, "true")):
        (one,) = readings(NOW, metric="cost_usd", forecast_above=bound, team=team).values()
        assert one.verdict == verdict
        assert float(one.observed or 0) == pytest.approx(observed, abs=1e-6)
    assert f"{observed:.0%} of the budget" in one.sentence


def test_a_forecast_begins_when_three_days_of_the_month_are_over() -> None:
    third = dt.datetime(2026, 11, 3, 23, tzinfo=dt.UTC)
    (one,) = readings(third, metric="cost_usd", forecast_above="0.9").values()
    assert one.verdict == "true"
    assert float(one.observed or 0) == pytest.approx(1.12 * 10 / 12)  # a tenth of the month
    (one,) = readings(third - dt.timedelta(seconds=1), metric="cost_usd", forecast_above="0.9").values()
    assert (one.verdict, one.observed) == ("no_data", None)
    assert "the month is under 3 days old" in one.sentence


def test_a_forecast_without_a_cap_is_no_data() -> None:
    (one,) = readings(NOW, metric="cost_usd", forecast_above="0.1", team="office").values()
    assert (one.verdict, one.observed) == ("no_data", None)
    assert "no month wallet with a cap" in one.sentence
    assert not one.finding().is_raising


def test_a_metric_that_does_not_exist_is_told_as_such() -> None:
    (one,) = readings(NOW, metric="tool_errors_rate", above="1").values()
    assert one.verdict == "wrong"
    assert "nearest is tool_error_rate" in one.sentence
    assert one.finding().is_raising


@pytest.mark.parametrize(
    "line",
    [
        "id: a, metric: runs, above: 1",
        "id: a, metric: runs, no_data: wait",
        "id: a, metric: runs, no_data: wait, above: 1, below: 2",
        "id: a, metric: runs, no_data: wait, above: 1, team: nobody",
        "id: a, metric: runs, no_data: wait, above: 1, team: support, each: agent",
        "id: a, metric: runs, no_data: wait, forecast_above: 1",
        "id: a, metric: runs, no_data: wait, above: 1, notify: [nowhere]",
    ],
)
def test_an_alert_without_a_rule_for_no_data_or_with_two_conditions_is_refused(line: str) -> None:
    with pytest.raises(RegistryInvalid):
        registry(declared(line))


def finding(state: str = "true", *, no_data: str = "wait", quiet: int = 60, team: str = "support") -> Finding:
    alert = Alert.model_validate(
        {"id": "a", "metric": "runs", "above": 1, "no_data": no_data, "quiet_minutes": quiet}
    )
    return Finding(
        alert=alert, target=f"team:{team}", team_id=team, agent_id=None, state=state,  # type: ignore[arg-type]
        title=f"Team {team}: Runs is 2, above 1.", observed_micro=2_000_000, bound_micro=1_000_000,
    )  # fmt: skip


@contextmanager
def at_work(workspace: Workspace, clock: Clock) -> Iterator[Control]:
    control = company(workspace, clock=clock)
    try:
        yield control
    finally:
        control.close()


def notices_of(workspace: Workspace) -> int:
    if not workspace.notices_file.exists():
        return 0
    return workspace.notices_file.read_text(encoding="utf-8").count('"kind": "alert"')


def test_one_incident_is_told_once_however_many_builds_there_are(workspace: Workspace, clock: Clock) -> None:
    with at_work(workspace, clock) as control:
        assert len(follow(control, [finding()]).raised) == 1
        for _ in range(3):
            clock.advance(minutes=15)
            assert follow(control, [finding()]) == follow(control, [finding()])
            send_due(control)
        with control.store.read() as connection:
            (one,) = listed(connection, only_open=True)
        assert one.true_at == clock()
    assert notices_of(workspace) == 1


def test_what_flaps_stays_one_incident_and_ends_when_it_was_quiet_long_enough(
    workspace: Workspace, clock: Clock
) -> None:
    with at_work(workspace, clock) as control:
        follow(control, [finding()])
        for state in ("false", "true", "false", "true"):
            clock.advance(minutes=30)
            assert follow(control, [finding(state)]).raised == ()
        clock.advance(minutes=59)
        assert follow(control, [finding("false")]).resolved == ()
        clock.advance(minutes=1)
        (ended,) = follow(control, [finding("false")]).resolved
        assert not ended.is_open
        assert follow(control, [finding("false")]).resolved == ()
        clock.advance(minutes=5)
        (again,) = follow(control, [finding()]).raised
        assert again.alert_incident_id != ended.alert_incident_id
        send_due(control)
    assert notices_of(workspace) == 2
    types = ("alert_raised", "alert_resolved")
    told = [event["event_type"] for event in sealed_events(workspace, *types)]
    assert told == ["alert_raised", "alert_resolved", "alert_raised"]


def test_no_data_is_told_or_waited_for_and_never_ends_an_incident(workspace: Workspace, clock: Clock) -> None:
    with at_work(workspace, clock) as control:
        assert follow(control, [finding("no_data")]).raised == ()
        assert len(follow(control, [finding("no_data", no_data="alert")]).raised) == 1
        follow(control, [finding("no_data", no_data="alert")])
        clock.advance(days=3)
        assert follow(control, [finding("no_data")]).resolved == ()  # waits for a figure
        assert len(follow(control, [finding("false")]).resolved) == 1


def test_a_builder_that_died_after_raising_leaves_the_notice_to_be_sent_once(
    workspace: Workspace, clock: Clock
) -> None:
    with at_work(workspace, clock) as control:
        follow(control, [finding()])
    assert notices_of(workspace) == 0  # nobody was told yet
    with Control(workspace, clock=clock) as later:
        assert follow(later, [finding()]).raised == ()
        send_due(later)
        send_due(later)
    assert notices_of(workspace) == 1


def test_two_builders_at_the_same_moment_raise_and_tell_each_alert_once(
    workspace: Workspace, clock: Clock
) -> None:
    """Both find ten alerts true, one more at a time, and send what is due."""
    company(workspace, clock=clock).close()
    found = [
        Finding(**{**one.__dict__, "alert": one.alert.model_copy(update={"id": f"a{number}"})})
        for number in range(10)
        for one in [finding()]
    ]
    together = multiprocessing.get_context("fork").Barrier(2)
    builders = [_forked(lambda: _build_beside(workspace, found, together)) for _ in range(2)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in builders] == [0, 0]
    with Control(workspace) as control, control.store.read() as connection:
        still_open = {one.alert_id for one in listed(connection, only_open=True)}
    assert still_open == {f"a{number}" for number in range(1, 10)}
    assert notices_of(workspace) == 10
    assert len(sealed_events(workspace, "alert_raised")) == 10
    assert len(sealed_events(workspace, "alert_resolved")) == 1


def _build_beside(workspace: Workspace, found: list[Finding], together: Barrier) -> None:
    with Control(workspace) as control:
        for number in range(len(found)):
            together.wait(60)
            follow(control, found[: number + 1])
            send_due(control)
        together.wait(60)
        follow(control, found[1:])  # the first is declared no more


def _forked(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


def test_an_alert_that_is_declared_no_more_ends(workspace: Workspace, clock: Clock) -> None:
    with at_work(workspace, clock) as control:
        follow(control, [finding(), finding(team="sales")])
        (ended,) = follow(control, [finding()]).resolved
        assert (ended.target, ended.resolution) == (
            "team:sales",
            "The alert is no longer declared for this target.",
        )


def test_whoever_sees_the_figures_may_look_after_it_once(workspace: Workspace, clock: Clock) -> None:
    with at_work(workspace, clock) as control:
        (one,) = follow(control, [finding()]).raised
        with pytest.raises(AccessRefused):
            acknowledge(control, one.alert_incident_id, "otto-klein")  # another team's manager
        seen = acknowledge(control, one.alert_incident_id, "mara-lindt", "On it.")
        assert (seen.acknowledged_by, seen.acknowledgement, seen.is_open) == ("mara-lindt", "On it.", True)
        with pytest.raises(AlertRefused, match="mara-lindt looks after it already"):
            acknowledge(control, one.alert_incident_id, "priya-nair")
    (event,) = sealed_events(workspace, "alert_acknowledged")
    assert (event["person_id"], event["reason"]) == ("mara-lindt", "On it.")


def test_the_named_notifications_get_it_and_no_others(workspace: Workspace, clock: Clock) -> None:
    places = (
        "prices:\n",
        'notifications:\n  - {id: one, url: "json://x"}\n  - {id: two, url: "json://y"}\nprices:\n',
    )
    control = company(workspace, places, clock=clock)
    named = finding()
    alert = named.alert.model_copy(update={"notify": ("two",)})
    follow(control, [Finding(**{**named.__dict__, "alert": alert})])
    tried = {one.send.notification_id for one in send_due(control)}
    control.close()
    assert tried == {"file", "two"}


def test_the_commands_list_measure_and_acknowledge(workspace: Workspace, clock: Clock) -> None:
    control = company(
        workspace, declared("id: quiet, metric: runs, below: 1, no_data: alert, days: 2"), clock=clock
    )
    followed = evaluate(control, world().warehouse, NOW + dt.timedelta(days=30))
    control.close()
    (one,) = followed.raised
    run = CliRunner().invoke
    listed_ = run(app, ["alerts", "list"])
    assert listed_.exit_code == 1
    assert "nobody looks after it" in listed_.output
    done = run(app, ["alerts", "ack", one.alert_incident_id, "--as", "priya-nair"])
    assert done.exit_code == 0, done.output
    assert run(app, ["alerts", "list"]).exit_code == 0
