"""What people do on the pages: ask for and decide a raise, decide a review, pause a schedule, ask who may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.desk import Desk
from app.live import attesting, money, needs, refreshing, reviewing, rights, rota
from app.review.cards import Card, make_cards
from app.review.concerns import EVERYTHING
from app.review.quarters import Quarter
from app.review.rules import rules_of
from app.views._parts import tally
from app.warehouse import Warehouse
from ingest.workspace import Workspace
from runner.control.agent_changes import set_fields
from runner.errors import AccessRefused
from tests import pages_world
from tests.pages_world import ANALYST, LEAD, MANAGERS
from tests.test_pages_views import opened, texts

SUPPORT, SALES = MANAGERS["support"], MANAGERS["sales"]
WALLET = "team:sales:month"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of the demo workspace that the test may change, served to the pages."""
    copied = pages_world.copy(tmp_path / "own")
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(copied.root))
    return copied


def quarter() -> Quarter:
    """The quarter in which the history of the pages' world lies."""
    return Quarter.of(dt.datetime.now(dt.UTC).date())


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def fill(app: AppTest, label: str, text: str) -> None:
    next(field for field in app.text_input if field.label == label).set_value(text)


def test_a_raise_is_asked_for_by_one_person_and_approved_by_another(own: Workspace) -> None:
    desk = Desk.open(own)
    before = {one.wallet_id: one.cap_usd for one in money.balances(desk, LEAD)}
    app = opened("teams", SALES)
    fill(app, "Reason for the raise", "the fair in December")
    press(app, "Ask for this raise")
    assert "waits for somebody else" in app.success[0].value
    (asked,) = money.raises_seen(desk, SALES)
    assert (asked.wallet_id.split(":")[1], asked.status, asked.can_decide) == ("sales", "waiting", False)
    assert not [button for button in app.button if button.label == "Approve this raise"]
    app = press(opened("teams", LEAD), "Approve this raise")
    assert "is approved" in app.success[0].value
    after = {one.wallet_id: one.cap_usd for one in money.balances(desk, LEAD)}
    cap, raised = before[asked.wallet_id], after[asked.wallet_id]
    assert cap is not None
    assert raised == cap + asked.amount_usd


def test_a_rejected_raise_needs_a_reason(own: Workspace) -> None:
    desk = Desk.open(own)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    money.ask_raise(desk, SALES, WALLET, money.Decimal(5), until, "more calls")
    app = press(opened("teams", LEAD), "Reject this raise")
    assert "a rejection needs a reason" in app.error[0].value
    fill(app, "Reason for the decision", "not this month")
    press(app, "Reject this raise")
    assert [one.status for one in money.raises_seen(desk, LEAD)] == ["rejected"]


def test_a_raise_of_another_teams_wallet_is_neither_seen_nor_asked_for(own: Workspace) -> None:
    desk = Desk.open(own)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    money.ask_raise(desk, SALES, WALLET, money.Decimal(5), until, "more calls")
    assert money.raises_seen(desk, SUPPORT) == []
    with pytest.raises(AccessRefused):
        money.ask_raise(desk, SUPPORT, WALLET, money.Decimal(5), until, "theirs")


def test_the_companys_total_is_the_sum_of_its_team_wallets(own: Workspace) -> None:
    teams = [one for one in money.balances(Desk.open(own), LEAD) if one.wallet_kind == "team"]
    app = opened("teams", LEAD)
    total = sum(one.spent_usd for one in teams)
    assert any(f"**{total:,.2f}\u00a0USD** spent" in markdown.value for markdown in app.markdown)


def test_a_review_is_decided_on_the_page_with_its_numbers(own: Workspace) -> None:
    app = opened("review", LEAD, quarter=str(quarter()))
    chosen = app.selectbox(key="filter_card").value
    fill(app, "Reason for the decision", "the season is over")
    next(box for box in app.selectbox if box.label == "Decision").set_value("keep")
    press(app, "Decide")
    assert "The log keeps it with its numbers" in app.success[0].value
    (decided,) = reviewing.decisions(Desk.open(own), LEAD, quarter())
    assert (decided.agent_id, decided.review_decision, decided.decided_by) == (chosen, "keep", LEAD)
    assert f'"agent_id": "{chosen}"' in decided.snapshot
    assert reviewing.decisions(Desk.open(own), _other_manager(own, chosen), quarter()) == []


def _other_manager(own: Workspace, agent_id: str) -> str:
    team = Desk.open(own).control.registry().agents[agent_id].team
    return next(person for other, person in MANAGERS.items() if other != team)


def test_who_may_not_decide_a_review_finds_no_form(own: Workspace) -> None:
    app = opened("review", ANALYST, quarter=str(quarter()))
    assert not app.exception
    assert not [button for button in app.button if button.label == "Decide"]


def test_a_threshold_changes_proposals_and_decides_nothing(own: Workspace) -> None:
    app = opened("review", LEAD, quarter=str(quarter()))
    next(field for field in app.number_input if field.label == "Runs needed to judge").set_value(1000)
    app.run()
    assert not app.exception
    assert any("would change" in markdown.value for markdown in app.markdown)
    assert reviewing.decisions(Desk.open(own), LEAD, quarter()) == []


def test_a_schedule_is_paused_by_who_may_and_shown_locked_to_others(own: Workspace) -> None:
    press(opened("schedules", SUPPORT), "Pause this schedule")
    rows = {row.standing.schedule_id: row.standing.paused for row in rota.schedules(Desk.open(own), LEAD)}
    assert {name for name, is_paused in rows.items() if is_paused} == {"support-daily"}
    assert {"finance-daily", "marketing-daily", "sales-daily"} < rows.keys()
    app = opened("schedules", ANALYST)
    assert not [button for button in app.button if "this schedule" in button.label]
    assert any("lock" in caption.value for caption in app.caption)


def test_missed_slots_are_counted_on_the_page_and_on_home(own: Workspace) -> None:
    desk = Desk.open(own)
    now = dt.datetime.now(dt.UTC)
    missed = needs.missed(desk, SUPPORT, now)
    assert {one.schedule_id for one in missed} == {"support-daily"}
    assert len(missed) == 3  # declared three days ago, one slot a day
    told = "\n".join(texts(opened("home", SUPPORT)))
    assert "3 scheduled runs missed in a week" in told


@pytest.mark.parametrize(("person_id", "agent_id"), [(SUPPORT, "refund-agent"), (ANALYST, "refund-agent")])
def test_the_page_answers_who_may_as_the_gate_does(person_id: str, agent_id: str, own: Workspace) -> None:
    ruling = rights.answer(Desk.open(own), LEAD, person_id, "run_agent", agent_id)
    app = opened("access", LEAD, who=person_id, which=agent_id)
    box = app.success[0] if ruling.allowed else app.warning[0]
    assert ruling.rule_id in box.value.replace("\\", "")
    assert ruling.allowed == (person_id == SUPPORT)


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk: rights.answer(desk, SALES, SUPPORT, "run_agent", None),
        lambda desk: rights.answer(desk, SALES, SALES, "run_agent", "refund-agent"),
        lambda desk: reviewing.impact(desk, SALES, "refund-agent"),
    ],
)
def test_a_question_beyond_the_own_team_is_refused(ask: Callable[[Desk], object], own: Workspace) -> None:
    with pytest.raises(AccessRefused):
        ask(Desk.open(own))


@pytest.mark.parametrize(("stated", "shown"), [(None, None), (12, 12), (0, 0)])
def test_turns_of_a_run_without_turn_events_are_what_its_source_states(
    stated: int | None, shown: int | None
) -> None:
    told = tally.totals([{"event_type": "run_requested"}])
    assert tally.turns(told, {"turn_count": stated}) == shown


def test_home_names_what_waits_for_the_person(own: Workspace) -> None:
    told = "\n".join(texts(opened("home", SUPPORT)))
    assert "1 approval waits" in told
    assert "1 for you to decide" in told
    assert "1 approval waits" not in "\n".join(texts(opened("home", SALES)))


def test_an_order_to_stop_is_told_to_whom_it_reaches(own: Workspace) -> None:
    from runner.control import stops

    desk = Desk.open(own)
    stops.order_stop(desk.control, "agent", "refund-agent", LEAD, "prices are wrong")
    assert [one.target_id for one in needs.stopped(desk, SUPPORT)] == ["refund-agent"]
    assert needs.stopped(desk, SALES) == []
    assert "1 order to stop stands" in "\n".join(texts(opened("home", SUPPORT)))


def _cards(own: Workspace) -> dict[str, Card]:
    warehouse = Warehouse.current(own)
    assert warehouse is not None
    rules, _ = rules_of(own)
    made = make_cards(warehouse.for_person(EVERYTHING), quarter(), rules, is_demo=True)
    return {one.subject.agent_id: one for one in made}


def _declared(own: Workspace) -> list[str]:
    """Agents under review that the registry declares and that are not of high risk."""
    return [name for name, one in _cards(own).items() if one.subject.risk_class in ("limited", "minimal")]


def test_a_promotion_whose_gates_fail_is_refused_on_the_page_too(own: Workspace) -> None:
    cards = _cards(own)
    failing = next(name for name in _declared(own) if cards[name].unmet_gates)
    app = opened("review", LEAD, quarter=str(quarter()), card=failing)
    fill(app, "Reason for the decision", "I like it")
    next(box for box in app.selectbox if box.label == "Decision").set_value("promote")
    press(app, "Decide")
    assert f"a promotion needs more: {cards[failing].unmet_gates[0]}" in app.error[0].value.replace("\\", "")
    assert reviewing.decisions(Desk.open(own), LEAD, quarter()) == []


def test_several_agents_are_decided_in_one_go_each_by_its_own_gates(own: Workspace) -> None:
    cards, names = _cards(own), _declared(own)
    failing = next(name for name in names if cards[name].unmet_gates)
    other = next(name for name in names if name != failing)
    app = opened("review", LEAD, quarter=str(quarter()))
    next(box for box in app.multiselect if box.label == "Agents").set_value([failing, other])
    next(box for box in app.selectbox if box.label == "Decision for all of them").set_value("keep")
    fill(app, "Reason for all of them", "the meeting of October")
    press(app, "Decide these")
    assert "Decided keep:" in app.success[0].value
    found = reviewing.decisions(Desk.open(own), LEAD, quarter())
    assert {one.agent_id for one in found} == {failing, other}
    assert {one.reason for one in found} == {"the meeting of October"}


def test_a_refresh_is_decided_tried_and_rolled_back_on_the_page(own: Workspace) -> None:
    chosen = _declared(own)[0]
    app = opened("review", LEAD, quarter=str(quarter()), card=chosen)
    fill(app, "Reason for the decision", "it got worse")
    next(box for box in app.selectbox if box.label == "Decision").set_value("refresh")
    press(app, "Decide")
    (task,) = refreshing.tasks(Desk.open(own), LEAD)
    assert (task.agent_id, task.status) == (chosen, "open")
    assert task.failures
    app = press(opened("review", LEAD, part="refreshes"), "Start the trial")
    assert "gets 20 % of its runs until" in app.success[0].value
    home = opened("home", LEAD)
    assert any("1 refresh is open" in one.value for one in home.markdown)
    set_fields(Desk.open(own).control, chosen, {"instructions": "Be brief."}, by=LEAD)
    app = opened("agent", LEAD, agent=chosen, tab="Refresh")
    fill(app, "Reason to go back", "it is rude")
    press(app, f"Roll back to v{task.old_version} now")
    (closed,) = refreshing.tasks(Desk.open(own), LEAD)
    assert (closed.status, closed.kept_arm, closed.closed_reason) == ("closed", "old", "it is rude")


def test_a_sunset_is_taken_back_on_the_page(own: Workspace) -> None:
    desk, chosen = Desk.open(own), _declared(own)[0]
    warehouse = Warehouse.current(own)
    assert warehouse is not None
    scoped = warehouse.for_person(EVERYTHING)
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=14)
    card = _cards(own)[chosen]
    reviewing.decide(desk, LEAD, quarter(), card, "retire", "nobody uses it", scoped=scoped, sunset_on=day)
    app = opened("review", LEAD, quarter=str(quarter()), card=chosen)
    assert any("its owners and users were told" in one.value for one in app.caption)
    fill(app, "Reason to take it back", "sales does use it")
    assert "stays" in press(app, "Take the retirement back").success[0].value
    assert reviewing.decisions(Desk.open(own), LEAD, quarter()) == []
    assert desk.control.agent_states()[chosen].status == "live"


def test_what_is_due_between_reviews_is_attested_on_the_page(own: Workspace) -> None:
    app = opened("review", LEAD, part="between")
    chosen = _declared(own)[0]
    next(box for box in app.multiselect if box.label.startswith("Attest")).set_value([chosen])
    press(app, "Attest")
    assert app.success[0].value.startswith("Attested: ")
    found = {one.agent_id: one for one in attesting.standings(Desk.open(own), LEAD)}
    assert (found[chosen].word, found[chosen].attested_by) == ("attested", LEAD)
    assert not opened("review", LEAD, part="fleet", quarter=str(quarter())).exception
