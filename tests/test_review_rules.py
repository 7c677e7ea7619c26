"""The review's rules: what is proposed for figures that were worked out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from app.errors import ReviewError
from app.review.figures import Figures, Subject, Version, rate
from app.review.propose import propose, unmet
from app.review.quarters import Quarter
from app.review.rules import Rules, parse, shipped_text

Q3 = Quarter(2026, 3)
RULES = parse(shipped_text(), "shipped")


def used(runs: int, successes: int, **more: object) -> Figures:
    return Figures(runs=runs, successes=successes, **more)  # type: ignore[arg-type]  # counts by name


def agent(*newest_first: Figures, expected_use: str = "", **more: object) -> Subject:
    """An agent declared in 2024 with the figures of 2026Q3 and the quarters before it."""
    return Subject(
        agent_id="a",
        agent_name="A",
        team_id="support",
        owner_id="mara-lindt",
        risk_class="limited",
        status="live",
        expected_use=expected_use,
        template_id=None,
        quarter=Q3,
        by_quarter={Q3.back(back): one for back, one in enumerate(newest_first)},
        **{"declared_on": dt.date(2024, 1, 1), "first_run_on": None, **more},  # type: ignore[arg-type]  # dates by name
    )


def kind(subject: Subject, rules: Rules = RULES) -> tuple[str, str]:
    found = propose(subject, rules)
    return found.kind, found.rule


# METRICS.md: 4/4 is 51–100 %, 8/8 68–100 %, 27/30 74–97 %, 90/100 83–94 %, 270/300 86–93 %.
@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(4, 4, 51, 100), (8, 8, 68, 100), (27, 30, 74, 97), (90, 100, 83, 94), (270, 300, 86, 93)],
)
def test_the_interval_is_wilsons(k: int, n: int, low: int, high: int) -> None:
    found = rate(k, n)
    assert found.low is not None
    assert found.high is not None
    assert (round(100 * found.low), round(100 * found.high)) == (low, high)


def test_four_of_four_ranks_under_270_of_300() -> None:
    few, many = rate(4, 4), rate(270, 300)
    assert few.low is not None
    assert many.low is not None
    assert few.low < many.low


def test_nobody_uses_it_and_nobody_expects_it() -> None:
    assert kind(agent()) == ("retire", "retire.idle_quarters")


def test_one_run_in_two_quarters_is_use() -> None:
    assert kind(agent(Figures(), used(1, 0))) == ("not_enough_data", "minimum_runs")


def test_an_idle_agent_whose_use_is_expected_is_kept() -> None:
    assert kind(agent(expected_use="The last week of each quarter.")) == ("keep", "season.expected")


def test_an_idle_agent_that_ran_in_this_quarter_of_the_year_before_is_kept() -> None:
    subject = agent(Figures(), Figures(), Figures(), Figures(), used(30, 28))
    assert kind(subject) == ("keep", "season.earlier-cycle")


def test_an_agent_that_is_new_is_not_called_idle() -> None:
    assert kind(agent(declared_on=dt.date(2026, 4, 2))) == ("not_enough_data", "retire.idle_quarters")
    assert kind(agent(declared_on=dt.date(2026, 4, 1)))[0] == "retire"


def test_weak_for_two_quarters_is_retired_and_for_one_is_not() -> None:
    # 22 of 76 = 29 %: upper bound 40 %
    assert kind(agent(used(76, 22), used(89, 25))) == ("retire", "retire.success_under")
    assert kind(agent(used(76, 22), used(89, 60)))[0] == "keep"
    # 5 of 19 would be as weak, but is under the minimum of 20 runs
    assert kind(agent(used(76, 22), used(19, 5)))[0] == "keep"


def test_a_rate_whose_upper_bound_reaches_the_floor_is_not_weak() -> None:
    # 40 of 100: 31–50 %; the upper bound is 49.8 %. 41 of 100 has 50.8 %.
    assert kind(agent(used(100, 40), used(100, 40)))[0] == "retire"
    assert kind(agent(used(100, 41), used(100, 40)))[0] == "keep"


def test_nineteen_runs_are_not_enough_and_twenty_are() -> None:
    assert kind(agent(used(19, 19))) == ("not_enough_data", "minimum_runs")
    assert kind(agent(used(20, 19)))[0] == "keep"


def versions(new: Figures, old: Figures) -> Subject:
    return agent(
        used(300, 200),
        versions=(Version(agent_version=2, figures=new), Version(agent_version=1, figures=old)),
    )


def test_five_points_worse_than_the_version_before_is_refreshed() -> None:
    assert kind(versions(used(100, 80), used(100, 85))) == ("refresh", "refresh")
    assert kind(versions(used(100, 81), used(100, 85)))[0] == "keep"
    assert kind(versions(used(19, 1), used(100, 85)))[0] == "keep"
    assert kind(versions(used(100, 80), used(19, 19)))[0] == "keep"


def test_the_verdict_flips_when_the_versions_are_swapped() -> None:
    assert kind(versions(used(100, 85), used(100, 80)))[0] == "keep"


def test_more_tool_errors_are_refreshed() -> None:
    new = used(100, 85, tool_calls_executed=200, tool_errors=22)
    old = used(100, 85, tool_calls_executed=200, tool_errors=12)
    assert kind(versions(new, old))[0] == "refresh"
    assert kind(versions(old, new))[0] == "keep"


def test_a_dearer_version_is_refreshed_unless_it_is_better() -> None:
    def costing(usd: str, successes: int) -> Figures:
        return used(100, successes, runs_cost_exact=100, exact_cost_usd=Decimal(usd))

    assert kind(versions(costing("1.50", 80), costing("1.00", 80)))[0] == "refresh"
    assert kind(versions(costing("1.49", 80), costing("1.00", 80)))[0] == "keep"
    assert kind(versions(costing("1.50", 85), costing("1.00", 80)))[0] == "keep"
    unknown = used(100, 80)
    assert kind(versions(unknown, costing("1.00", 80)))[0] == "keep"


GOOD = {"users": 9, "user_teams": 2}


def test_good_and_used_by_two_teams_is_promoted() -> None:
    assert kind(agent(used(100, 95, **GOOD))) == ("promote", "promote")


@pytest.mark.parametrize(
    ("figures", "cases", "gate"),
    [
        (used(100, 87, **GOOD), 0, "its lower bound is under 80%"),  # 87 of 100: from 79 %
        (used(100, 95, users=9, user_teams=1), 0, "used by people of 1 team, 2 are needed"),
        (used(100, 95, wallet_refusals=1, **GOOD), 0, "wallets refused it 1 time"),
        (used(100, 95, **GOOD), 1, "1 open case"),
    ],
)
def test_each_gate_of_a_promotion_holds_alone(figures: Figures, cases: int, gate: str) -> None:
    subject = agent(figures, open_cases=cases)
    assert kind(subject) == ("keep", "keep")
    missed = unmet(subject, RULES)
    assert len(missed) == 1
    assert gate in missed[0]


def test_another_threshold_is_another_proposal() -> None:
    subject = agent(used(100, 95, users=9, user_teams=1))
    changed = parse(shipped_text(), "shipped", {"promote.user_teams": "1"})
    assert (kind(subject)[0], kind(subject, changed)[0]) == ("keep", "promote")


@pytest.mark.parametrize(
    ("text", "changes", "told"),
    [
        ("- a list", None, "valid dictionary"),
        ("{", None, "is no YAML"),
        (shipped_text().replace("minimum_runs: 20", "minimum_runs: 0"), None, "minimum_runs"),
        (shipped_text() + "\nmore: 1\n", None, "more"),
        (shipped_text(), {"promote.teams": "3"}, "No such rule: 'promote.teams'"),
        (shipped_text(), {"promote.user_teams": "many"}, "promote.user_teams"),
    ],
)
def test_rules_that_are_none_are_named(text: str, changes: dict[str, str] | None, told: str) -> None:
    with pytest.raises(ReviewError, match=told):
        parse(text, "review_rules.yaml", changes)


def test_quarters_are_the_calendars() -> None:
    assert (Q3.first_day, Q3.last_day) == (dt.date(2026, 7, 1), dt.date(2026, 9, 30))
    assert Quarter(2026, 4).last_day == dt.date(2026, 12, 31)
    assert str(Q3.back(3)) == "2025Q4"
    assert Quarter.of(dt.date(2026, 12, 31)) == Quarter.parse("2026q4")
    with pytest.raises(ReviewError, match="No quarter: '2026Q5'"):
        Quarter.parse("2026Q5")
