"""Waivers, cases and signatures: who stands for what, until when, and what the log says of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from app.checks import monthly
from app.checks.waivers import unwaived, waivers_in_force
from app.desk import Desk
from app.live.compliance import overdue
from ingest.contract import Value
from ingest.reader import rows_where
from ingest.workspace import Workspace
from runner.control import cases, signatures, waivers
from runner.control.cases import Failed
from runner.control.months import company_zone, month_before, month_end
from runner.control.plane import Control
from runner.errors import AccessRefused, AssuranceRefused
from tests.conftest import Clock
from tests.runner_company import company, registry

OFFICERS = (
    "  analyst: {scope: all, may: [view_metrics, export_data]}\n",
    "  analyst: {scope: all, may: [view_metrics, export_data]}\n"
    "  officer: {scope: all, may: [view_metrics, export_data, sign_report]}\n",
)
PEOPLE = (
    "  li-chen: {name: Li Chen, team: platform, role: analyst}\n",
    "  li-chen: {name: Li Chen, team: platform, role: analyst}\n"
    "  ida-berg: {name: Ida Berg, team: platform, role: officer}\n"
    "  sam-oduya: {name: Sam Oduya, team: platform, role: officer}\n",
)
OVERSIGHT = "oversight: {second_person_approves_versions: []}"
TWO_SIGN = (OVERSIGHT, "oversight: {second_person_approves_versions: [], signatures_needed: 2}")
SHORTER = (OVERSIGHT, "oversight: {second_person_approves_versions: [], case_days: {high: 2}}")
LATE = Failed(check_id="REC-01", severity="high", title="Every run ends", detail="5 of 900 objects")
HASH = "ab" * 32


@pytest.fixture
def control(workspace: Workspace, clock: Clock) -> Iterator[Control]:
    with company(workspace, OFFICERS, PEOPLE, clock=clock) as opened:
        yield opened


def told(workspace: Workspace, *event_types: str) -> list[dict[str, Value]]:
    """The events of these types as the log holds them, in order."""
    columns = ["event_type", "recorded_at", "seq", "person_id", "reason", "check_month", "content_sha256"]
    rows = [
        row
        for name in event_types
        for table in rows_where(workspace, columns, "event_type", name)
        for row in table.to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["recorded_at"], row["seq"]))


def test_a_waiver_counts_for_the_months_that_end_before_it_does(control: Control) -> None:
    granted = waivers.grant(control, "HITL-12", "ida-berg", "two reviewers join", dt.date(2026, 12, 31))
    assert granted.first_month == "2026-10"  # the last complete one on 4 November
    in_force = {
        month: bool(waivers_in_force(control, dt.date(2026, month, 1))) for month in (9, 10, 11, 12)
    } | {1: bool(waivers_in_force(control, dt.date(2027, 1, 1)))}
    assert in_force == {9: False, 10: True, 11: True, 12: True, 1: False}


def test_a_waiver_of_one_finding_leaves_the_others(control: Control) -> None:
    about = "HITL-12 mara-lindt"
    granted = waivers.grant(control, about, "ida-berg", "on leave since", dt.date(2026, 12, 31))
    assert (granted.check_id, granted.finding_id) == ("HITL-12", about)
    assert unwaived("HITL-12", [about, "HITL-12 otto-klein"], [granted]) == ["HITL-12 otto-klein"]
    assert unwaived("HITL-06", ["HITL-06 mara-lindt"], [granted]) == ["HITL-06 mara-lindt"]


def test_a_withdrawn_waiver_counts_no_more(control: Control) -> None:
    granted = waivers.grant(control, "HITL-12", "ida-berg", "for now", dt.date(2026, 12, 31))
    waivers.withdraw(control, granted.waiver_id[-12:], "sam-oduya", "nobody joined")
    assert not waivers_in_force(control, dt.date(2026, 10, 1))
    types = ("waiver_granted", "waiver_withdrawn")
    events = told(control.workspace, *types)
    assert [(row["event_type"], row["person_id"], row["reason"]) for row in events] == [
        ("waiver_granted", "ida-berg", "for now"),
        ("waiver_withdrawn", "sam-oduya", "nobody joined"),
    ]


@pytest.mark.parametrize(
    ("person", "reason", "until", "error"),
    [
        ("ida-berg", " ", dt.date(2026, 12, 31), AssuranceRefused),
        ("ida-berg", "fine", dt.date(2026, 11, 3), AssuranceRefused),
        ("ida-berg", "fine", dt.date(2027, 12, 31), AssuranceRefused),
        ("mara-lindt", "fine", dt.date(2026, 12, 31), AccessRefused),
    ],
)
def test_a_waiver_needs_a_reason_an_end_within_a_year_and_an_officer(
    control: Control, person: str, reason: str, until: dt.date, error: type[Exception]
) -> None:
    with pytest.raises(error):
        waivers.grant(control, "HITL-12", person, reason, until)
    assert not waivers_in_force(control, dt.date(2026, 10, 1))


def test_the_deadline_goes_by_severity_and_stays_when_the_rule_changes(
    control: Control, clock: Clock
) -> None:
    found = [
        Failed(check_id="HITL-02", severity="critical", title="t", detail="d"),
        LATE,
        Failed(check_id="HITL-12", severity="medium", title="t", detail="d"),
    ]
    opened = cases.follow(control, "2026-10", found)
    assert [(one.due_at - clock()).days for one in opened] == [3, 14, 30]
    control.apply(registry(OFFICERS, PEOPLE, SHORTER))
    kept = cases.follow(control, "2026-10", found)
    assert [(one.due_at, one.deadline_rule) for one in kept] == [
        (one.due_at, one.deadline_rule) for one in opened
    ]
    (new,) = cases.follow(
        control, "2026-10", [Failed(check_id="GOV-05", severity="high", title="t", detail="d")]
    )
    assert ((new.due_at - clock()).days, new.deadline_rule) == (2, "high: 2 days")


def test_the_same_finding_next_month_continues_its_case_until_it_is_closed(
    control: Control, clock: Clock
) -> None:
    (first,) = cases.follow(control, "2026-10", [LATE])
    clock.now += dt.timedelta(days=30)
    (second,) = cases.follow(control, "2026-11", [LATE])
    assert (second.case_id, second.months, second.due_at) == (
        first.case_id,
        ("2026-10", "2026-11"),
        first.due_at,
    )
    cases.close(control, first.case_id, "ida-berg", "the runner's end is in finally now", "PR 412")
    (again,) = cases.follow(control, "2026-11", [LATE])
    assert again.case_id == first.case_id  # asked again for a month that its case has answered
    assert not again.is_open
    (new,) = cases.follow(control, "2026-12", [LATE])
    assert (new.case_id, new.is_open) == ("REC-01-2026-12", True)
    types = ("case_opened", "case_continued", "case_closed")
    assert [row["event_type"] for row in told(control.workspace, *types)] == [
        "case_opened",
        "case_continued",
        "case_closed",
        "case_opened",
    ]


def test_a_case_is_overdue_when_its_deadline_has_passed_and_nobody_closed_it(
    control: Control, clock: Clock
) -> None:
    (case,) = cases.follow(control, "2026-10", [LATE])
    assert not case.is_overdue(clock())
    clock.now += dt.timedelta(days=14)
    assert case.is_overdue(clock())


def test_an_overdue_case_is_shown_to_its_owner_and_to_who_may_sign(control: Control, clock: Clock) -> None:
    (case,) = cases.follow(control, "2026-10", [LATE])
    cases.note(control, case.case_id, "ida-berg", "hers to see to", owner_id="mara-lindt")
    seen = {person: overdue(Desk(control), person) for person in ("mara-lindt", "ida-berg", "otto-klein")}
    assert not any(seen.values())
    clock.now += dt.timedelta(days=14)
    for person, count in (("mara-lindt", 1), ("ida-berg", 1), ("otto-klein", 0)):
        assert [one.case_id for one in overdue(Desk(control), person)] == [case.case_id] * count
    cases.close(control, case.case_id, "mara-lindt", "done", "T-1")
    assert overdue(Desk(control), "ida-berg") == []


def test_a_case_is_closed_by_its_owner_or_an_officer_with_evidence(control: Control) -> None:
    (case,) = cases.follow(control, "2026-10", [LATE])
    with pytest.raises(AccessRefused):
        cases.close(control, case.case_id, "mara-lindt", "done", "T-1")
    cases.note(control, case.case_id, "ida-berg", "hers to see to", owner_id="mara-lindt")
    with pytest.raises(AssuranceRefused, match="evidence is missing"):
        cases.close(control, case.case_id, "mara-lindt", "done", " ")
    closed = cases.close(control, case.case_id, "mara-lindt", "done", "T-1")
    assert closed.closed_by == "mara-lindt"
    with control.store.read() as connection:
        line = [(one.kind, one.person_id, one.evidence) for one in cases.timeline(connection, case.case_id)]
    assert line == [
        ("opened", None, None),
        ("noted", "ida-berg", None),
        ("closed", "mara-lindt", "T-1"),
    ]
    with pytest.raises(AssuranceRefused, match="mara-lindt closed it"):
        cases.note(control, case.case_id, "ida-berg", "one more thing")


def test_a_month_is_signed_once_unless_a_second_person_is_asked_for(control: Control) -> None:
    done = signatures.sign(control, "2026-10", HASH, "ida-berg", "I read it", is_second=False)
    assert signatures.is_complete([done])
    with pytest.raises(AssuranceRefused, match="ida-berg has signed it"):
        signatures.sign(control, "2026-10", HASH, "sam-oduya", "me too", is_second=False)
    with pytest.raises(AccessRefused):
        signatures.sign(control, "2026-10", "cd" * 32, "mara-lindt", "I", is_second=False)
    (event,) = told(control.workspace, "report_signed")
    assert (event["content_sha256"], event["check_month"], event["person_id"]) == (
        HASH,
        "2026-10",
        "ida-berg",
    )


def test_where_two_sign_the_second_is_somebody_else(control: Control) -> None:
    control.apply(registry(OFFICERS, PEOPLE, TWO_SIGN))
    with pytest.raises(AssuranceRefused, match="nobody signed it yet"):
        signatures.sign(control, "2026-10", HASH, "sam-oduya", "I read it", is_second=True)
    first = signatures.sign(control, "2026-10", HASH, "ida-berg", "I read it", is_second=False)
    assert not signatures.is_complete([first])
    with pytest.raises(AssuranceRefused, match="another person"):
        signatures.sign(control, "2026-10", HASH, "ida-berg", "again", is_second=True)
    second = signatures.sign(control, "2026-10", HASH, "sam-oduya", "I read it, too", is_second=True)
    assert signatures.is_complete([first, second])


def test_a_workspace_without_a_registry_opens_cases_by_the_rule_of_a_new_one(
    workspace: Workspace, clock: Clock
) -> None:
    with Control(workspace, clock=clock) as control:
        (case,) = cases.follow(control, "2026-10", [LATE])
    assert case.deadline_rule == "high: 14 days"


def test_a_month_ends_at_midnight_by_the_companys_clock(workspace: Workspace, clock: Clock) -> None:
    new_york = ("time_zone: Europe/Berlin", "time_zone: America/New_York")
    clock.now = dt.datetime(2026, 11, 1, 3, 30, tzinfo=dt.UTC)  # 31 October 23:30 in New York
    with company(workspace, OFFICERS, PEOPLE, new_york, clock=clock) as control:
        zone = company_zone(control)
        assert month_end(dt.date(2026, 10, 1), zone) == dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)
        assert monthly.month_end(workspace, dt.date(2026, 10, 1)) == month_end(dt.date(2026, 10, 1), zone)
        assert month_before(clock(), zone) == dt.date(2026, 9, 1)
        granted = waivers.grant(control, "HITL-12", "ida-berg", "for October", dt.date(2026, 10, 31))
        assert (granted.first_month, granted.last_date) == ("2026-09", dt.date(2026, 10, 31))
        assert granted.expires_at == dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)
        in_force = [bool(waivers_in_force(control, dt.date(2026, month, 1))) for month in (9, 10, 11)]
        assert in_force == [True, True, False]
        clock.advance(minutes=30)
        assert month_before(clock(), zone) == dt.date(2026, 10, 1)
