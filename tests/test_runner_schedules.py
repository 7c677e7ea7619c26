"""Schedules: each slot fires, is refused or is missed, exactly once, whatever clocks and workers do."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import schedules
from runner.control.plane import Control
from runner.control.schedule_book import expected_fires, standings
from runner.control.slots import Timetable, verdicts
from runner.control.tables import runs
from runner.errors import AccessRefused, RunRefused
from runner.worker import work_once
from tests.conftest import Clock
from tests.log_told import told_of
from tests.runner_company import HASTY, Command, company, fleetbook, registry

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]


def schedule(**changes: str) -> tuple[str, str]:
    """A change of the registry that declares the schedule ``sort``."""
    words = {"agent": "triage-agent", "cron": '"0 * * * *"', "task": "Sort the tickets", "run_as": "jon-vass"}
    text = ", ".join(f"{name}: {value}" for name, value in {**words, **changes}.items())
    return ("prices:", f"schedules:\n  sort: {{{text}}}\nprices:")


def utc(day: int, hour: int, minute: int = 0, month: int = 11) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


def became(slots: list[schedules.Slot]) -> dict[str, int]:
    return dict(
        Counter(slot.status + (" late" * (slot.is_late and slot.status == "fired")) for slot in slots)
    )


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # 29 March 2026: 02:00 to 03:00 does not exist in Berlin. The slot comes at 03:00 summer time.
        (utc(28, 12, month=3), [utc(29, 1, 0, month=3), utc(30, 0, 30, month=3)]),
        # 25 October 2026: 02:00 to 03:00 comes twice. The slot comes the first time, in summer time.
        (utc(24, 12, month=10), [utc(25, 0, 30, month=10), utc(26, 1, 30, month=10)]),
    ],
)
def test_a_slot_in_the_hour_that_the_clock_skips_or_repeats_comes_once(
    after: dt.datetime, expected: list[dt.datetime]
) -> None:
    times = Timetable(cron="30 2 * * *", time_zone="Europe/Berlin")
    assert times.between(after, after + dt.timedelta(days=2), 10) == expected
    assert times.newest(after, after + dt.timedelta(days=2), 10) == expected


def test_an_hourly_schedule_follows_the_real_hours_when_the_clock_changes() -> None:
    times = Timetable(cron="0 * * * *", time_zone="Europe/Berlin")
    for month, day in ((3, 29), (10, 25)):
        found = times.between(utc(day, 0, month=month), utc(day, 5, month=month), 10)
        assert found == [utc(day, hour, month=month) for hour in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("misfire", "fires", "late"),
    [("skip", [8, 9], []), ("run_once", [9], []), ("run_all", [5, 6, 7, 8, 9], [5, 6, 7])],
)
def test_what_becomes_of_slots_after_an_outage(misfire: str, fires: list[int], late: list[int]) -> None:
    due = [utc(4, hour) for hour in (5, 6, 7, 8, 9)]
    found = verdicts(due, due, utc(4, 9, 30), misfire=misfire, grace=dt.timedelta(minutes=90))  # type: ignore[arg-type]
    assert [one.slot_at.hour for one in found if one.fires] == fires
    assert [one.slot_at.hour for one in found if one.is_late] == late
    assert all(one.reason for one in found if not one.fires)


def test_a_slot_is_fired_as_the_schedules_identity_and_played_by_a_worker(
    workspace: Workspace, clock: Clock
) -> None:
    with company(workspace, schedule(), clock=clock) as control:
        assert schedules.fire_due(control) == []
        clock.advance(hours=1, seconds=20)
        (outcome,) = work_once(control, pacing=HASTY)
        run = control.run(outcome.run_id)
        assert (outcome.end_state, run.trigger_kind, run.requested_by) == (
            "completed",
            "schedule",
            "jon-vass",
        )
        (fired,) = told_of(workspace, "schedule_fired")
        assert (fired["rule_id"], fired["run_id"]) == ("sort", outcome.run_id)
        assert (fired["slot_at"], fired["lateness_ns"]) == (utc(4, 10), 20_000_000_000)
        assert (fired["is_late"], fired["actor_id"]) == (False, "jon-vass")
        assert work_once(control, pacing=HASTY) == []


def test_days_away_are_told_slot_by_slot_and_made_up_for_within_bounds(
    workspace: Workspace, clock: Clock
) -> None:
    with company(workspace, schedule(misfire="run_all"), clock=clock) as control:
        schedules.fire_due(control)
        clock.advance(days=3)
        # 72 slots: the last 24 are made up for; the last of them is on time.
        assert became(schedules.fire_due(control)) == {"missed": 48, "fired late": 23, "fired": 1}
        control.relay.flush()
        missed = told_of(workspace, "schedule_missed")
        assert min(event["slot_at"] for event in missed) == utc(4, 10)  # type: ignore[type-var]
        assert {str(event["reason"]) for event in missed} == {
            "no worker was there, and at most 24 runs are made up for"
        }
        (one,) = standings(control)
        assert (one.fired_count, one.late_count, one.missed_count) == (24, 23, 48)
        assert one.next_slots[0] == utc(7, 10)


def test_a_schedule_of_every_minute_that_waited_a_week_is_accounted_for_in_steps(
    workspace: Workspace, clock: Clock
) -> None:
    with company(workspace, schedule(cron='"* * * * *"'), clock=clock) as control:
        schedules.fire_due(control)
        clock.advance(hours=20)
        found = schedules.fire_due(control)
        assert became(found) == {"missed": 1199, "fired": 1}
        assert [slot.slot_at for slot in found] == sorted(slot.slot_at for slot in found)


def test_clocks_that_jump_back_fire_nothing_twice(workspace: Workspace, clock: Clock) -> None:
    with company(workspace, schedule(), clock=clock) as control:
        clock.advance(hours=2)
        assert became(schedules.fire_due(control)) == {"missed": 1, "fired": 1}
        clock.advance(hours=-1.5)
        assert schedules.fire_due(control) == []
        clock.advance(hours=1.5)
        assert schedules.fire_due(control) == []
        clock.advance(hours=1)
        assert became(schedules.fire_due(control)) == {"fired": 1}


def test_many_workers_fire_each_slot_once(workspace: Workspace, clock: Clock) -> None:
    company(workspace, schedule(misfire="run_all"), clock=clock).close()
    clock.advance(hours=6)
    workers = [Control(workspace, clock=clock) for _ in range(4)]
    found: list[schedules.Slot] = []
    threads = [
        threading.Thread(target=lambda one=one: found.extend(schedules.fire_due(one))) for one in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slot.slot_at for slot in found) == [utc(4, hour) for hour in (10, 11, 12, 13, 14, 15)]
    with workers[0].store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar_one() == 6
    for one in workers:
        one.close()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("action: run_agent, team: support}", "action: run_agent, team: sales}"), "default-deny"),
        (
            ("tools: [{tool: search_tickets}, {tool: classify_ticket}]\n    status: live",) * 2,
            "status:retired",
        ),
    ],
)
def test_an_identity_that_lost_access_or_a_retired_agent_is_a_refused_fire_and_the_schedule_goes_on(
    workspace: Workspace, clock: Clock, change: tuple[str, str], rule: str
) -> None:
    with company(workspace, schedule(), clock=clock) as control:
        schedules.fire_due(control)
        control.apply(registry(schedule(), change))
        if rule == "status:retired":
            control.decide_status("triage-agent", "retired", "priya-nair", "nobody needs it")
        for _ in range(2):
            clock.advance(hours=1)
            (slot,) = schedules.fire_due(control)
            assert (slot.status, slot.refusal_rule) == ("refused", rule)
        control.relay.flush()
        assert [event["refusal_rule"] for event in told_of(workspace, "schedule_missed")] == [rule, rule]
        assert len(told_of(workspace, "run_refused")) == 2
        assert standings(control)[0].refused_count == 2


def test_a_paused_schedule_expects_nothing_and_goes_on_from_where_it_is_resumed(
    workspace: Workspace, clock: Clock
) -> None:
    with company(workspace, schedule(), clock=clock) as control:
        schedules.fire_due(control)
        clock.advance(minutes=10)
        control.apply(registry(schedule(paused="true")))
        clock.advance(hours=5)
        assert schedules.fire_due(control) == []
        control.apply(registry(schedule()))
        clock.advance(hours=1)
        assert [slot.slot_at for slot in schedules.fire_due(control)] == [utc(4, 15)]


def test_slots_that_nobody_was_there_for_before_a_schedule_was_removed_are_missed(
    workspace: Workspace, clock: Clock
) -> None:
    with company(workspace, schedule(), clock=clock) as control:
        schedules.fire_due(control)
        clock.advance(hours=2, minutes=1)
        control.apply(registry())
        assert became(schedules.fire_due(control)) == {"missed": 2}
        clock.advance(hours=9)
        assert schedules.fire_due(control) == []


def test_the_commands_show_what_is_expected_and_what_became_of_it(
    workspace: Workspace, clock: Clock, fleetbook: Command
) -> None:
    with company(workspace, schedule(time_zone="Asia/Tokyo"), clock=clock) as control:
        schedules.fire_due(control)
        clock.advance(hours=3)
        schedules.fire_due(control)
        found = expected_fires(control, utc(4, 0), utc(4, 15))
    assert [(one.slot_at.hour, one.status) for one in found] == [
        (10, "missed"), (11, "missed"), (12, "fired"), (13, "to come"), (14, "to come")
    ]  # fmt: skip
    code, out, _ = fleetbook("schedules", "expected", "--from", "2026-11-04", "--to", "2026-11-05")
    assert code == 1
    assert "2026-11-04 10:00 UTC  sort  missed" in out
    code, out, _ = fleetbook("schedules")
    assert code == 0
    assert "0 * * * * in Asia/Tokyo" in out
    assert "last  Wed 2026-11-04 21:00: fired" in out
    assert "fired 1 (0 late) · missed 2 · refused 0" in out


def test_a_schedule_is_run_now_by_those_who_answer_for_the_agent(workspace: Workspace, clock: Clock) -> None:
    with company(workspace, schedule(), clock=clock) as control:
        run_id = schedules.run_now(control, "sort", "mara-lindt")
        control.relay.flush()
        assert control.run(run_id).requested_by == "jon-vass"
        (fired,) = told_of(workspace, "schedule_fired")
        assert (fired["person_id"], fired["run_id"], fired.get("slot_at")) == ("mara-lindt", run_id, None)
        with pytest.raises(AccessRefused):
            schedules.run_now(control, "sort", "eva-sol")
        control.decide_status("triage-agent", "suspended", "mara-lindt", "looks odd")
        with pytest.raises(RunRefused):
            schedules.run_now(control, "sort", "mara-lindt")
