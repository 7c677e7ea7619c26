"""The demo history tells the story it promises: each number here is counted from its events."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from genai_prices import Usage, calc_price

from app.demo import habits
from app.demo.assured import happenings
from app.demo.cast import Cast
from app.demo.days import Days, Wallet
from app.demo.fleet import FLEET
from app.demo.making import REGISTRY
from app.demo.money import sales_caps, with_caps
from app.demo.stages import rehearsed_versions
from app.demo.story import Plan, in_season, make_plan
from app.demo.weather import Weather
from app.review.figures import Figures, Subject, Version
from app.review.propose import propose
from app.review.quarters import Quarter
from app.review.rules import parse as parse_rules
from app.review.rules import shipped_text
from ingest.contract import validate
from runner.control.registry import Registry
from runner.control.registry_file import parse_registry
from runner.control.slot_history import PastSlot

NOW = dt.datetime(2026, 11, 22, 18, tzinfo=dt.UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FLOOR, TARGET = 0.5, 0.9  # success: below the floor is to be retired, above the target may be promoted
Events = list[dict[str, Any]]
BESIDE_A_RUN = ("outcome_recorded", "intervention_recorded", "schedule_fired")


@dataclass
class Told:
    """What the whole history adds up to, run by run."""

    plan: Plan
    registry: Registry
    caps: dict[str, str]
    runs: list[dict[str, Any]] = field(default_factory=list)
    refusals: Events = field(default_factory=list)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    charges: Events = field(default_factory=list)
    calls: Events = field(default_factory=list)
    event_count: int = 0
    texts: list[dt.datetime] = field(default_factory=list)
    slots: list[PastSlot] = field(default_factory=list)

    def of(self, agent_id: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["agent_id"] == agent_id]


@pytest.fixture(scope="module")
def told() -> Told:
    plan = make_plan(NOW, "Europe/Berlin")
    declared = parse_registry(REGISTRY.read_text(encoding="utf-8"), REGISTRY)
    caps = sales_caps(plan, declared)
    registry = parse_registry(with_caps(REGISTRY.read_text(encoding="utf-8"), caps), REGISTRY)
    wallet = Wallet(habits.OVER_BUDGET_AGENT, int(Decimal(caps["agent:prospect-writer"]) * 10**9))
    days = Days(plan, registry, Cast(plan, registry, rehearsed_versions(plan)), wallet)
    found = Told(plan=plan, registry=registry, caps=caps)
    for day in plan.days:
        for played in days.day(day):
            found.event_count += len(played.happenings)
            found.slots += [played.slot] if played.slot else []
            found.texts += [happening.at for happening in played.happenings if happening.text]
            runs: dict[str, Events] = defaultdict(list)
            for happening in played.happenings:
                runs[str(happening.event["run_id"])].append(happening.event)
            for events in runs.values():
                count(found, events)
    return found


def count(told: Told, events: Events) -> None:
    """One run, read from its events alone."""
    by_type: dict[str, Events] = defaultdict(list)
    for event in events:
        by_type[event["event_type"]].append(event)
    told.refusals += by_type["run_refused"]
    told.charges += by_type["turn_finished"]
    told.calls += by_type["tool_call_finished"]
    for word in ("requested", "shown", "decided", "expired", "consumed"):
        for event in by_type[f"approval_{word}"]:
            told.approvals.setdefault(event["approval_id"], {})[word] = event
    if not by_type["run_started"]:
        return
    (requested,) = by_type["run_requested"]
    ends = by_type["run_ended"]
    overruled = [event for event in by_type["approval_decided"] if event["decision"] != "approved"]
    outcomes = by_type["outcome_recorded"]
    verdicts = [event["is_good"] for event in outcomes if event["outcome_kind"] == "user_confirmation"]
    is_completed = verdicts[-1] if verdicts else bool(ends) and ends[0]["end_state"] == "completed"
    counted = [e for e in events if e["event_type"] not in BESIDE_A_RUN]
    moments = [event["occurred_at"] for event in events]
    wall = counted[-1]["occurred_at"] - counted[0]["occurred_at"]
    told.runs.append(
        {
            **requested,
            "end_state": ends[0]["end_state"] if ends else "lost",
            "declared": ends[0]["declared_event_count"] if ends else None,
            "counted": len(counted),
            "machine_ns": ends[0]["machine_ns"] if ends else None,
            "wall_ns": wall // dt.timedelta(microseconds=1) * 1000,
            "is_success": bool(is_completed and not overruled and not by_type["intervention_recorded"]),
            "confirmations": verdicts,
            "in_order": moments == sorted(moments),
        }
    )


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson score interval at 95 %."""
    z, share = 1.959964, successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def interval(runs: list[dict[str, Any]]) -> tuple[float, float]:
    return wilson(sum(run["is_success"] for run in runs), len(runs))


def quarter(runs: list[dict[str, Any]], year: int, first_month: int) -> list[dict[str, Any]]:
    months = range(first_month, first_month + 3)
    local = ((run, run["occurred_at"].astimezone(BERLIN)) for run in runs)
    return [run for run, at in local if at.year == year and at.month in months]


def test_the_registry_declares_34_agents_of_five_teams(told: Told) -> None:
    agents = told.registry.agents
    assert len(agents) == 34
    assert Counter(agent.team for agent in agents.values()) == {
        "platform": 7,
        "marketing": 7,
        "sales": 7,
        "support": 7,
        "finance": 6,
    }
    assert len(told.registry.templates) >= 8
    assert (
        Counter(person.role for person in told.registry.people.values()).keys() == told.registry.roles.keys()
    )


def test_every_agent_has_a_habit_that_fits_its_declaration(told: Told) -> None:
    assert [habit.agent_id for habit in FLEET] == list(told.registry.agents)
    for habit in FLEET:
        agent = told.registry.agents[habit.agent_id]
        assert {tool for step in habit.steps for tool in step} <= {use.tool for use in agent.tools}
        assert agent.provider == "sim" or agent.model == habit.past[-1].model
        assert habit.past[-1].instructions == ""
        assert [past.since for past in habit.past] == sorted(past.since for past in habit.past)


def test_about_ten_agents_run_live_without_a_key(told: Told) -> None:
    live = [agent for agent in told.registry.agents.values() if agent.provider == "sim"]
    assert 10 <= len(live) <= 16


def test_there_are_at_least_60000_runs_of_12_to_20_events(told: Told) -> None:
    assert len(told.runs) >= 60_000
    assert 12 <= told.event_count / len(told.runs) <= 20
    assert told.plan.start == dt.datetime(2026, 3, 31, 22, tzinfo=dt.UTC)  # 1 April in Berlin
    assert max(run["occurred_at"] for run in told.runs) < NOW
    assert max(run["occurred_at"] for run in told.runs) > NOW - dt.timedelta(days=1)


def test_every_run_is_consistent(told: Told) -> None:
    ended = [run for run in told.runs if run["end_state"] != "lost"]
    assert all(run["declared"] == run["counted"] for run in ended)
    assert all(run["in_order"] for run in told.runs)
    assert all(0 < run["machine_ns"] <= run["wall_ns"] for run in ended)
    lost = [run for run in told.runs if run["end_state"] == "lost"]
    assert 10 <= len(lost) <= 200
    assert max(run["occurred_at"] for run in lost) < NOW - dt.timedelta(hours=24)


def test_events_of_a_week_meet_the_contract(told: Told) -> None:
    days = Days(told.plan, told.registry, Cast(told.plan, told.registry, rehearsed_versions(told.plan)))
    events = [h.event for day in told.plan.days[-7:] for played in days.day(day) for h in played.happenings]
    for event in events:
        validate({**event, "version_hash": None})
    assert len({event["event_id"] for event in events}) == len(events) > 20_000


def test_the_same_plan_tells_the_same_day_again(told: Told) -> None:
    cast = Cast(told.plan, told.registry, rehearsed_versions(told.plan))
    first, second = (list(Days(told.plan, told.registry, cast).day(told.plan.days[40])) for _ in range(2))
    assert first == second != []


def test_every_approval_is_complete_and_by_somebody_who_may_decide(told: Told) -> None:
    assert len(told.approvals) > 2_000
    people = told.registry.people
    for one in told.approvals.values():
        requested = one["requested"]
        assert ("decided" in one) != ("expired" in one)
        if "expired" in one:
            assert one["expired"]["occurred_at"] == requested["expires_at"]
            assert "consumed" not in one
            continue
        decided, agent = one["decided"], told.registry.agents[requested["agent_id"]]
        assert requested["occurred_at"] < one["shown"]["occurred_at"] < decided["occurred_at"]
        assert decided["occurred_at"] < requested["expires_at"] + dt.timedelta(minutes=10)
        assert decided["person_id"] == one["shown"]["person_id"] != requested["actor_id"]
        assert people[decided["person_id"]].role in (requested["approver_role"], "platform_lead")
        assert agent.risk.risk_class != "high" or decided["person_id"] != agent.author
        assert ("consumed" in one) == (decided["decision"] != "rejected")
        if "consumed" in one:
            assert one["consumed"]["arguments_digest"] == decided["approved_digest"]
        changed = decided["approved_digest"] != decided["arguments_digest"]
        assert changed == (decided["decision"] == "approved_changed")
    words = Counter(one["decided"]["decision"] for one in told.approvals.values() if "decided" in one)
    assert min(words[word] for word in ("approved", "approved_changed", "rejected")) >= 30
    assert sum("expired" in one for one in told.approvals.values()) >= 20


def test_no_denied_call_was_executed(told: Told) -> None:
    denied = [call for call in told.calls if call["tool_outcome"] == "denied"]
    assert denied
    assert all(call.get("duration_ns") is None and call["approval_id"] for call in denied)


def test_one_reviewer_approves_many_requests_in_under_two_seconds(told: Told) -> None:
    quick: Counter[str] = Counter()
    for one in told.approvals.values():
        if "decided" in one:
            seconds = (one["decided"]["occurred_at"] - one["shown"]["occurred_at"]).total_seconds()
            quick[one["decided"]["person_id"]] += seconds < 2
    assert quick[habits.HASTY_REVIEWER] > 100
    assert max(count for person, count in quick.items() if person != habits.HASTY_REVIEWER) < 5


def test_costs_are_tokens_times_list_price(told: Told) -> None:
    priced = [charge for charge in told.charges if charge["list_cost_nano_usd"]]
    assert {charge["provider_name"] for charge in priced} == {"openai", "anthropic", "google"}
    for charge in priced[:: len(priced) // 300]:
        usage = Usage(
            input_tokens=charge["input_tokens"],
            output_tokens=charge["output_tokens"],
            cache_read_tokens=charge["cache_read_tokens"],
        )
        expected = calc_price(
            usage, charge["requested_model"], provider_id=charge["provider_name"], genai_request_timestamp=NOW
        )
        assert charge["list_cost_nano_usd"] == expected.total_price * 10**9
        assert charge["price_version"].startswith("genai-prices-")
        assert charge["list_cost_nano_usd"] <= charge["hold_nano_usd"]


def test_the_unpriced_model_has_unknown_cost_and_never_zero(told: Told) -> None:
    unpriced = [charge for charge in told.charges if charge["agent_id"] == habits.UNPRICED]
    assert len(unpriced) > 1_000
    assert {charge["list_cost_nano_usd"] for charge in unpriced} == {None}
    wallets = {budget.wallet: budget for budget in told.registry.budgets}
    assert wallets["team:platform"].unlimited  # a wallet with a cap would refuse a model without a price


def test_no_wallet_of_any_month_is_above_its_cap(told: Told) -> None:
    spent: dict[tuple[str, str], int] = defaultdict(int)
    for charge in told.charges:
        month = charge["occurred_at"].astimezone(BERLIN).strftime("%Y-%m")
        team = told.registry.agents[charge["agent_id"]].team
        for wallet in (f"team:{team}", f"agent:{charge['agent_id']}"):
            spent[wallet, month] += charge["list_cost_nano_usd"] or 0
    declared = parse_registry(REGISTRY.read_text(encoding="utf-8"), REGISTRY)
    earlier = {budget.wallet: budget.cap_usd for budget in declared.budgets if budget.cap_usd}
    now = {budget.wallet: budget.cap_usd for budget in told.registry.budgets if budget.cap_usd}
    for (wallet, month), nano_usd in spent.items():
        cap = (now if month == "2026-11" else earlier).get(wallet)
        assert cap is None or nano_usd <= cap * 10**9, (wallet, month, nano_usd, cap)
    sales = spent["team:sales", "2026-11"] / float(now["team:sales"] or 0) / 1e9
    assert 0.9 < sales < 1


def test_refusals_name_wallet_and_access_rules(told: Told) -> None:
    rules = Counter(event["refusal_rule"] for event in told.refusals)
    assert rules[f"wallet:agent:{habits.OVER_BUDGET_AGENT}:month"] >= 3
    assert rules["scope:own"] >= 50
    assert rules["users-not-invoice-matcher"] >= 3
    assert all(event["reason"] for event in told.refusals)


def test_exactly_three_agents_were_never_used_and_are_not_expected_to_be(told: Told) -> None:
    used = {run["agent_id"] for run in told.runs}
    unused = {agent_id for agent_id in told.registry.agents if agent_id not in used}
    assert unused == set(habits.RETIRE_IDLE)
    assert {told.registry.agents[agent_id].expected_use for agent_id in unused} == {""}


@pytest.mark.parametrize("first_month", [4, 7])
def test_exactly_two_agents_are_below_the_floor_in_each_quarter(told: Told, first_month: int) -> None:
    below = set()
    for agent_id in told.registry.agents:
        runs = quarter(told.of(agent_id), 2026, first_month)
        if len(runs) >= 20 and interval(runs)[1] < FLOOR:
            below.add(agent_id)
    assert below == set(habits.RETIRE_WEAK)


@pytest.mark.parametrize("first_month", [4, 7])
def test_exactly_three_agents_are_good_and_used_by_several_teams(told: Told, first_month: int) -> None:
    found = set()
    for agent_id in told.registry.agents:
        runs = quarter(told.of(agent_id), 2026, first_month)
        teams = {told.registry.people[run["actor_id"]].team for run in runs}
        if len(runs) >= 20 and len(teams) >= 2 and interval(runs)[0] >= TARGET:
            found.add(agent_id)
    assert found == set(habits.PROMOTE)


def test_the_helpdesk_says_resolved_and_few_users_confirm(told: Told) -> None:
    runs = told.of(habits.UNCONFIRMED)
    resolved = [run for run in runs if run["end_state"] == "completed"]
    assert 0.88 < len(resolved) / len(runs) < 0.96
    confirmed = sum(run["confirmations"] == [True] for run in resolved)
    assert 0.04 < confirmed / len(resolved) < 0.08
    assert interval(runs)[1] < TARGET
    assert interval(runs)[0] > FLOOR  # not confirmed is not yet proven bad


def test_the_seasonal_agent_works_two_weeks_a_quarter(told: Told) -> None:
    days = {run["occurred_at"].astimezone(BERLIN).date() for run in told.of(habits.SEASONAL)}
    assert len(days) >= 15
    assert all(in_season(day) for day in days)
    assert "quarter" in told.registry.agents[habits.SEASONAL].expected_use
    assert interval(told.of(habits.SEASONAL))[0] > 0.85


def test_one_refresh_improved_its_agent_and_one_made_it_worse(told: Told) -> None:
    def rates(agent_id: str) -> list[float]:
        versions: dict[int, list[bool]] = defaultdict(list)
        for run in told.of(agent_id):
            versions[run["agent_version"]].append(run["is_success"])
        assert all(len(runs) >= 100 for runs in versions.values())
        return [statistics.fmean(versions[number]) for number in sorted(versions)]

    improved, worsened = rates(habits.IMPROVED), rates(habits.WORSENED)
    assert improved[-1] - improved[-2] > 0.05
    assert worsened[-2] - worsened[-1] > 0.05


@pytest.mark.parametrize("label", ["2026Q2", "2026Q3"])
def test_the_shipped_rules_propose_what_the_story_is_about(told: Told, label: str) -> None:
    rules = parse_rules(shipped_text(), "shipped")
    kinds: dict[str, set[str]] = defaultdict(set)
    for agent_id in told.registry.agents:
        kinds[propose(subject(told, agent_id, Quarter.parse(label)), rules).kind].add(agent_id)
    # Two quarters are needed to retire, and the history begins with 2026Q2.
    retired = {*habits.RETIRE_IDLE, *habits.RETIRE_WEAK} if label == "2026Q3" else set()
    assert kinds["retire"] == retired
    assert kinds["promote"] == set(habits.PROMOTE)
    assert habits.SEASONAL in kinds["keep"]
    assert habits.UNCONFIRMED in kinds["keep"]


def test_only_the_version_that_got_worse_loses_success(told: Told) -> None:
    rules = parse_rules(shipped_text(), "shipped")
    lost = {
        agent_id
        for agent_id in told.registry.agents
        if "success fell" in propose(subject(told, agent_id, Quarter(2026, 3)), rules).reason
    }
    assert lost == {habits.WORSENED}


def subject(told: Told, agent_id: str, asked: Quarter) -> Subject:
    """An agent under review with figures that are counted here, not in the warehouse."""
    declared = told.registry.agents[agent_id]
    by_quarter: dict[Quarter, list[dict[str, Any]]] = defaultdict(list)
    by_version: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for run in told.of(agent_id):
        ended = Quarter.of(run["occurred_at"].astimezone(BERLIN).date())
        by_quarter[ended].append(run)
        if ended <= asked:
            by_version[run["agent_version"]].append(run)
    return Subject(
        agent_id=agent_id,
        agent_name=declared.name,
        team_id=declared.team,
        owner_id=declared.owner,
        risk_class=declared.risk.risk_class,
        status="live",
        expected_use=declared.expected_use,
        template_id=None,
        declared_on=told.plan.start.astimezone(BERLIN).date(),
        first_run_on=None,
        quarter=asked,
        by_quarter={quarter_of: figures(told, runs) for quarter_of, runs in by_quarter.items()},
        versions=tuple(
            Version(agent_version=number, figures=figures(told, runs))
            for number, runs in sorted(by_version.items(), reverse=True)
        ),
    )


def figures(told: Told, runs: list[dict[str, Any]]) -> Figures:
    people = {run["actor_id"] for run in runs}
    return Figures(
        runs=len(runs),
        successes=sum(run["is_success"] for run in runs),
        users=len(people),
        user_teams=len({told.registry.people[person].team for person in people}),
    )


def test_the_office_works_on_working_days_and_support_on_weekends_too(told: Told) -> None:
    weekdays: dict[str, Counter[bool]] = defaultdict(Counter)
    for run in told.runs:
        team = told.registry.agents[run["agent_id"]].team
        weekdays[team][run["occurred_at"].astimezone(BERLIN).weekday() >= 5] += 1
    share = {team: counts[True] / counts.total() for team, counts in weekdays.items()}
    assert share["marketing"] < 0.03
    assert share["sales"] < 0.03
    assert 0.08 < share["support"] < 0.25


def test_the_fleet_grows_and_finance_peaks_at_the_end_of_the_month(told: Told) -> None:
    assert len(quarter(told.runs, 2026, 7)) > 1.1 * len(quarter(told.runs, 2026, 4))
    days: Counter[dt.date] = Counter(
        run["occurred_at"].astimezone(BERLIN).date() for run in told.of("invoice-matcher")
    )
    last = [days[dt.date(2026, 9, day)] for day in (28, 29, 30)]
    middle = [days[dt.date(2026, 9, day)] for day in (14, 15, 16)]
    assert sum(last) > 2 * sum(middle)


def test_the_outage_and_the_slow_model_are_visible(told: Told) -> None:
    weather = Weather(told.plan)

    def failed(calls: Events) -> float:
        return statistics.fmean(call["tool_outcome"] == "failed" for call in calls)

    crm = [call for call in told.calls if call["tool_name"] in ("crm_lookup", "crm_update")]
    begin, end = weather.outage
    inside = [call for call in crm if begin <= call["occurred_at"] < end]
    assert len(inside) > 50
    assert failed(inside) > 0.4
    assert failed([call for call in crm if call not in inside]) < 0.03
    begin, end = weather.slowness
    answered = [
        charge
        for charge in told.charges
        if charge["requested_model"] == "claude-haiku-4-5" and "error_type" not in charge
    ]
    usual = statistics.median(charge["duration_ns"] for charge in answered)
    slow = statistics.median(
        charge["duration_ns"] for charge in answered if begin <= charge["occurred_at"] < end
    )
    assert slow > 2.5 * usual


def test_delegated_runs_belong_to_a_parent(told: Told) -> None:
    ids = {run["run_id"]: run["agent_id"] for run in told.runs}
    children = [run for run in told.runs if run["parent_run_id"]]
    assert len(children) > 500
    assert {ids[run["parent_run_id"]] for run in children} == {habits.DELEGATING}
    assert {run["trigger_kind"] for run in children} == {"delegate"}


def test_each_slot_of_a_schedule_asked_for_one_run_or_was_missed(told: Told) -> None:
    reports = [slot for slot in told.slots if slot.schedule_id == "weekly-report"]
    mondays = [day for day in told.plan.days if day.weekday() == 0]
    assert len(reports) == 6 * len(mondays)  # every 20 minutes of two hours
    assert {slot.slot_at.astimezone(BERLIN).hour for slot in reports} == {6, 7}
    fired = [slot.run_id for slot in told.slots if slot.run_id is not None]
    assert sorted(fired) == sorted(run["run_id"] for run in told.runs if run["trigger_kind"] == "schedule"
        and run["agent_id"] in {slot.agent_id for slot in told.slots})  # fmt: skip
    missed = len(told.slots) - len(fired)
    assert 0.002 < missed / len(told.slots) < 0.02
    assert all(slot.decided_at - slot.slot_at < dt.timedelta(hours=2) for slot in told.slots)


def test_texts_are_kept_for_the_last_two_weeks_only(told: Told) -> None:
    assert told.texts
    assert min(told.texts) >= NOW - dt.timedelta(days=14)


@pytest.mark.parametrize(
    "now",
    [
        dt.datetime(2026, 12, 31, 22, 59, tzinfo=dt.UTC),
        dt.datetime(2027, 1, 1, 2, tzinfo=dt.UTC),
        dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC),
    ],
)
def test_the_history_begins_two_quarters_back_on_any_day(now: dt.datetime) -> None:
    plan = make_plan(now, "Europe/Berlin")
    first = plan.start.astimezone(BERLIN)
    assert (first.day, first.hour, first.month % 3) == (1, 0, 1)
    assert 180 <= (plan.end - plan.start).days <= 276


def test_a_young_month_has_no_trouble_yet(told: Told) -> None:
    declared = parse_registry(REGISTRY.read_text(encoding="utf-8"), REGISTRY)
    assert sales_caps(make_plan(dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC), "Europe/Berlin"), declared) == {}
    assert set(told.caps) == {"team:sales", "agent:prospect-writer"}


def test_the_registry_of_the_demo_is_a_valid_file(repository: Path) -> None:
    assert repository / "app" / "demo" / "registry.yaml" == REGISTRY


def test_what_the_company_records_beside_its_runs_is_whole_and_in_order(told: Told) -> None:
    cast = Cast(told.plan, told.registry, rehearsed_versions(told.plan))
    found = happenings(told.plan, told.registry, cast)
    for one in found:
        validate(one.event)
    moments = [one.at for one in found]
    assert moments == sorted(moments)
    assert len({one.event["event_id"] for one in found}) == len(found)
    assert (told.plan.start <= moments[0], moments[-1] < told.plan.end) == (True, True)
    month_end = told.plan.month_start
    drilled = {
        str(one.event["agent_id"])
        for one in found
        if one.event["event_type"] == "stop_drill" and month_end - dt.timedelta(days=90) <= one.at < month_end
    }
    at_risk = {name for name, one in told.registry.agents.items() if one.risk.risk_class == "high"}
    assert len(at_risk - drilled) == 1  # one is forgotten
    (opened,) = (one for one in found if one.event["event_type"] == "incident_opened")
    (closed,) = (one for one in found if one.event["event_type"] == "incident_closed")
    during = [r for r in told.of(str(opened.event["agent_id"])) if opened.at <= r["occurred_at"] < closed.at]
    assert during == []
