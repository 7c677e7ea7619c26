"""Between reviews: attestations in their cadence, seasons of idle agents, look-alikes, and the portfolio."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from app.review.cards import card
from app.review.duplicates import Described, alike
from app.review.idle import Worked, idle_agents
from app.review.portfolio import holdings, spread
from app.review.rules import parse, shipped_text
from ingest.workspace import Workspace
from runner.control import agent_changes
from runner.control.attestations import follow, standings
from runner.control.plane import Control
from runner.control.upkeep import upkeep
from runner.errors import AccessRefused, RunRefused
from tests.log_told import told_of
from tests.review_world import Clock
from tests.runner_company import Command, company, fleetbook
from tests.test_review_rules import agent, used

__all__ = ["fleetbook"]

START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def control(workspace: Workspace, clock: Clock) -> Iterator[Control]:
    with company(workspace, clock=clock) as opened:
        yield opened


def words(control: Control, clock: Clock) -> dict[str, str]:
    with control.store.read() as connection:
        found = standings(connection, control.registry_in(connection), clock.now)
    return {one.agent_id: one.word for one in found}


def test_each_risk_class_has_its_cadence(control: Control, clock: Clock) -> None:
    assert words(control, clock) == {"refund-agent": "not counted yet", "triage-agent": "not counted yet"}
    follow(control)
    assert words(control, clock) == {"refund-agent": "attested", "triage-agent": "attested"}
    # refund-agent is high: 30 days, reminded 7 before, lapsed 14 after; triage-agent is limited: 90 days.
    for day, word in ((22, "attested"), (23, "due soon"), (30, "overdue"), (43, "overdue"), (44, "lapsed")):
        clock.now = START + day * DAY
        assert words(control, clock) == {"refund-agent": word, "triage-agent": "attested"}
    clock.now = START + 90 * DAY
    assert words(control, clock)["triage-agent"] == "overdue"


def test_people_are_reminded_once_and_told_once_that_it_lapsed(
    control: Control, clock: Clock, workspace: Workspace
) -> None:
    upkeep(control)
    for day in (23, 24, 31, 44, 45, 60):
        clock.now = START + day * DAY
        upkeep(control)
    (reminded,) = told_of(workspace, "attestation_reminded")
    assert (reminded["agent_id"], reminded["told_ids"]) == ("refund-agent", "mara-lindt;priya-nair")
    assert reminded["due_at"] == START + 30 * DAY
    (lapsed,) = told_of(workspace, "attestation_lapsed")
    assert lapsed["agent_id"] == "refund-agent"
    titles = {str(one["notice_kind"]) for one in told_of(workspace, "notice_raised")}
    assert titles >= {"attestation-due", "attestation-lapsed"}


def test_a_lapsed_high_risk_agent_is_refused_until_it_is_attested(control: Control, clock: Clock) -> None:
    follow(control)
    clock.now = START + 43 * DAY
    assert control.request_run("refund-agent", "Refund.", "jon-vass")
    clock.now = START + 44 * DAY
    with pytest.raises(RunRefused, match="was to be attested by 2026-04-01") as refused:
        control.request_run("refund-agent", "Refund.", "jon-vass")
    assert refused.value.rule == "attestation:lapsed"
    with pytest.raises(AccessRefused):
        agent_changes.attest(control, "refund-agent", by="otto-klein")
    agent_changes.attest(control, "refund-agent", by="mara-lindt", reason="looked at its runs")
    assert control.request_run("refund-agent", "Refund.", "jon-vass")
    assert words(control, clock)["refund-agent"] == "attested"


def test_other_risk_classes_are_refused_only_where_the_rule_says_so(
    workspace: Workspace, clock: Clock
) -> None:
    rule = (
        "oversight: {second",
        "oversight: {attestation: {limited_days: 10, grace_days: 0, refuses_runs: [limited]}, second",
    )
    with company(workspace, rule, clock=clock) as control:
        follow(control)
        clock.now = START + 60 * DAY
        assert control.request_run("refund-agent", "Refund.", "jon-vass")  # high, but not named by the rule
        with pytest.raises(RunRefused, match="attestation:lapsed"):
            control.request_run("triage-agent", "Sort.", "jon-vass")


def test_the_attestations_are_listed_on_the_command_line(control: Control, fleetbook: Command) -> None:
    code, out, _ = fleetbook("review", "attestations")
    assert (code, "refund-agent · high risk · not counted yet" in out) == (0, True)
    follow(control)  # the clock of this control stands in March 2026
    code, out, _ = fleetbook("agents", "attest", "refund-agent", "--as", "mara-lindt")
    assert code == 0
    out = fleetbook("review", "attestations")[1]
    assert "last by mara-lindt" in out


def worked(*days: dt.date, expected_use: str = "") -> Worked:
    return Worked(
        agent_id="a",
        agent_name="A",
        team_id="support",
        expected_use=expected_use,
        known_since=dt.date(2025, 1, 1),
        days=frozenset(days),
    )


TODAY = dt.date(2026, 9, 30)


def spans(*spans: tuple[dt.date, int]) -> list[dt.date]:
    return [first + n * dt.timedelta(days=1) for first, count in spans for n in range(count)]


@pytest.mark.parametrize(
    ("days", "expected_use", "season"),
    [
        ((), "", "none"),
        ((), "The last week of a year.", "expected"),
        # Daily until the middle of August: dead, for the same weeks of the quarter before were busy.
        (spans((dt.date(2026, 1, 1), 230)), "", "none"),
        # The second and third week of each quarter: the last four weeks of the quarter before were idle too.
        (
            spans((dt.date(2026, 1, 8), 14), (dt.date(2026, 4, 8), 14), (dt.date(2026, 7, 8), 14)),
            "",
            "same weeks before",
        ),
        # Every April: idle in September, as the year before, and used before and after that September.
        (
            spans((dt.date(2025, 4, 1), 20), (dt.date(2026, 4, 1), 20)),
            "",
            "same weeks before",
        ),
        # Used once and never again: nothing speaks for a season.
        (spans((dt.date(2026, 2, 1), 3)), "", "none"),
    ],
)
def test_an_idle_agent_is_out_of_season_or_not(days: list[dt.date], expected_use: str, season: str) -> None:
    (found,) = idle_agents([worked(*days, expected_use=expected_use)], TODAY)
    assert found.season == season


def test_who_ran_in_four_weeks_or_is_new_is_not_idle() -> None:
    assert idle_agents([worked(dt.date(2026, 9, 3))], TODAY) == []
    assert [one.idle_days for one in idle_agents([worked(dt.date(2026, 9, 2))], TODAY)] == [28]
    assert idle_agents([replace(worked(), known_since=dt.date(2026, 9, 20))], TODAY) == []


def described(agent_id: str, purpose: str, *tools: str, instructions: str = "") -> Described:
    return Described(
        agent_id=agent_id,
        agent_name=agent_id,
        team_id="support",
        purpose=purpose,
        instructions=instructions,
        tools=frozenset(tools),
    )


def test_agents_that_do_the_same_are_named_with_what_they_share() -> None:
    faq = described("faq", "Answers questions of customers from the help center.", "search", "reply")
    help_bot = described("help", "Answers customers' questions from our help center.", "search", "reply")
    payroll = described("payroll", "Checks payroll entries before the run.", "read_payroll")
    (pair,) = alike([faq, help_bot, payroll], 0.5)
    assert (pair.first.agent_id, pair.second.agent_id) == ("faq", "help")
    assert pair.tools == 1.0
    assert pair.purpose > 0.7
    assert {"center", "customers"} <= set(pair.shared_words)
    assert pair.shared_tools == ("reply", "search")
    assert "purpose" in pair.explained


def test_the_same_agent_twice_is_wholly_alike_and_strangers_are_not() -> None:
    one = described("one", "Sorts mail.", instructions="Sort the mail by team.")
    twin = replace(one, agent_id="twin")
    other = described("other", "Writes code.", instructions="Change files.")
    (pair,) = alike([one, twin, other], 0.3)
    assert (round(pair.score, 9), pair.tools) == (1.0, None)
    assert alike([one, other], 0.01) == []


def test_value_stands_against_cost_with_the_uncertainty_of_success() -> None:
    minutes = {"value.minutes_saved_per_success": "{good: 6, dear: 6}"}
    rules = parse(shipped_text(), "shipped", minutes)
    good = replace(
        agent(used(100, 90, cost_usd=Decimal("40"), runs_cost_exact=100, users=9)), agent_id="good"
    )
    dear = replace(agent(used(100, 90, cost_usd=Decimal("900"), runs_cost_exact=80)), agent_id="dear")
    mute = replace(agent(used(10, 9, cost_usd=Decimal("5"))), agent_id="mute")
    found = {one.agent_id: one for one in holdings([card(one, rules) for one in (mute, dear, good)])}
    assert list(found) == ["good", "dear", "mute"]
    # 90 successes × 6 minutes × 60 USD an hour are 540 USD; 90 of 100 is 82.6 to 94.5 %, so 495 to 567 USD.
    assert (found["good"].value_usd, found["good"].net_usd) == (Decimal("540.00"), Decimal("500.00"))
    low, high = found["good"].net_low_usd, found["good"].net_high_usd
    assert low is not None
    assert high is not None
    assert (round(low), round(high)) == (455, 527)
    assert found["dear"].net_usd == Decimal("-360.00")
    assert found["dear"].unknown_cost_runs == 20
    assert found["mute"].net_usd is None
    (team,) = spread([card(one, rules) for one in (mute, dear, good)])
    assert (team.agents, team.used, team.runs) == (3, 3, 210)
