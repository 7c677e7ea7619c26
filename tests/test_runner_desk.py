"""The desk: what a person sees and may do on the pages, cut to their scope below the pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.desk import AccessRefused, DecisionRefused, Desk, NotFound, RegistryNotApplied
from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.plane import Control
from runner.control.purses import purses_of
from tests.conftest import Clock
from tests.runner_company import company, events, play, resume

NAMED = "    name: Triage agent\n    team: "
NEW_WALLET = '\n  - {wallet: "team:sales", window: month, unlimited: true, reason: new team}'
SALES = (
    (f"{NAMED}support", f"{NAMED}sales"),
    ('cap_usd: "20.00"}', 'cap_usd: "20.00"}' + NEW_WALLET),
)


@pytest.fixture
def control(workspace: Workspace, clock: Clock) -> Iterator[Control]:
    """A company in which support refunds and sales sorts tickets."""
    with company(workspace, *SALES, clock=clock) as control:
        yield control


@pytest.fixture
def desk(control: Control) -> Iterator[Desk]:
    """The desk of that company, on the same clock."""
    desk = Desk(Control(control.workspace, recorded_via="app", clock=control.store.clock))
    yield desk
    desk.close()


def test_before_the_first_apply_the_desk_says_so(workspace: Workspace) -> None:
    desk = Desk.open(workspace)
    with pytest.raises(RegistryNotApplied):
        desk.people()
    desk.close()


def test_people_company_and_teams_are_those_declared(desk: Desk) -> None:
    assert [(one.person_id, one.role_id, one.scope) for one in desk.people()] == [
        ("eva-sol", "agent_user", "own"),
        ("jon-vass", "agent_user", "own"),
        ("li-chen", "analyst", "all"),
        ("mara-lindt", "team_manager", "team"),
        ("otto-klein", "team_manager", "team"),
        ("priya-nair", "platform_lead", "all"),
    ]
    assert (desk.company().name, desk.company().time_zone) == ("Northwind Trading", "Europe/Berlin")
    assert desk.teams() == {"support": "Support", "sales": "Sales", "platform": "Platform"}


def test_wallets_show_the_enforced_numbers_and_the_holds(control: Control, desk: Desk, clock: Clock) -> None:
    outcome = play(control, "refund-agent", "Refund W-2211, 50 USD")
    spent = control.run(outcome.run_id).spent_nano_usd
    purses = purses_of(control.registry(), "refund-agent", "support", "r", clock())
    with control.store.write() as tx:
        wallet.take(tx, purses, 3_000_000_000, wallet.Attempt("other", 0, 1))
    clock.advance(seconds=90)
    team, agent = desk.wallets("mara-lindt")
    assert (team.wallet_id, agent.wallet_id) == ("team:support:month", "agent:refund-agent:month")
    assert team.spent_usd == agent.spent_usd == Decimal(spent) / 10**9
    assert team.held_usd == Decimal(3)
    assert team.free_usd == Decimal(50) - team.spent_usd - Decimal(3)
    (hold,) = team.holds
    assert (hold.run_id, hold.amount_usd, hold.age_s) == ("other", Decimal(3), 90.0)
    sales = next(one for one in desk.wallets("priya-nair") if one.wallet_id == "team:sales:month")
    assert (sales.is_unlimited, sales.cap_usd, sales.free_usd, sales.reason) == (True, None, None, "new team")


@pytest.mark.parametrize(
    ("person", "wallets", "sees_run", "sees_arguments"),
    [
        ("priya-nair", 3, True, True),
        ("mara-lindt", 2, True, True),
        ("otto-klein", 1, False, False),
        ("jon-vass", 0, True, False),  # own run, without its content
        ("eva-sol", 0, False, False),
        ("li-chen", 3, True, False),  # all numbers, no content
    ],
)
def test_each_person_sees_what_their_scope_reaches(
    control: Control, desk: Desk, person: str, wallets: int, sees_run: bool, sees_arguments: bool
) -> None:
    play(control, "refund-agent", "Refund W-2211, 240 USD")
    assert len(desk.wallets(person)) == wallets
    assert len(desk.live_runs(person)) == int(sees_run)
    found = desk.approvals(person)
    assert len(found) == int(sees_run)
    if found:
        assert bool(found[0].arguments) is sees_arguments
        assert found[0].can_decide is (person == "mara-lindt")


def test_a_request_says_why_a_person_cannot_decide(control: Control, desk: Desk) -> None:
    play(control, "refund-agent", "Refund W-2211, 240 USD")
    said = {
        person: desk.approvals(person)[0].cannot_reason for person in ("priya-nair", "jon-vass", "li-chen")
    }
    assert said == {
        "priya-nair": "priya-nair wrote this version of a high-risk agent",
        "jon-vass": "role agent_user may not decide_approval",
        "li-chen": "role analyst may not decide_approval",
    }


def test_deciding_on_the_page_writes_the_event_it_names_and_another_process_resumes(
    control: Control, desk: Desk
) -> None:
    outcome = play(control, "refund-agent", "Refund W-2211, 240 USD")
    (request,) = desk.approvals("mara-lindt")
    assert (request.money_at_stake_usd, request.rule_id) == (Decimal(240), "refund-over-100")
    desk.shown(request.approval_id, "mara-lindt")
    with pytest.raises(DecisionRefused):
        desk.decide(request.approval_id, "otto-klein", "approved")
    event_id = desk.decide(request.approval_id, "mara-lindt", "approved", "fine")
    (event,) = events(control.workspace, outcome.run_id, "approval_decided")
    assert (event["event_id"], event["recorded_via"], event["actor_id"]) == (event_id, "app", "mara-lindt")
    assert desk.live_runs("mara-lindt")[0].status == "ready"
    assert resume(control, outcome.run_id).end_state == "completed"
    assert desk.live_runs("mara-lindt") == []
    (decided,) = desk.approvals("mara-lindt")
    assert (decided.status, decided.decision, decided.decided_by) == ("approved", "approved", "mara-lindt")


def test_waiting_requests_come_first_and_lapsed_ones_are_not_waiting(
    control: Control, desk: Desk, clock: Clock
) -> None:
    play(control, "refund-agent", "Refund W-2211, 240 USD")
    clock.advance(minutes=30)
    play(control, "refund-agent", "Refund W-2211, 250 USD")
    assert [one.status for one in desk.approvals("mara-lindt")] == ["waiting", "waiting"]
    clock.advance(minutes=31)
    newer, older = desk.approvals("mara-lindt")
    assert (newer.status, older.status) == ("waiting", "expired")
    assert newer.arguments["amount_usd"] == "250"
    assert older.cannot_reason.startswith("the request lapsed at 2026-11-04 10:00")


def test_the_events_of_a_run_come_with_texts_for_readers_only_and_the_reading_is_told(
    control: Control, desk: Desk
) -> None:
    run_id = play(control, "refund-agent", "Refund W-2211, 50 USD").run_id
    told = desk.live_run_events(run_id, "mara-lindt")
    assert (told[0]["event_type"], told[0]["payload_text"]) == ("run_requested", "Refund W-2211, 50 USD")
    assert str(told[-1]["payload_text"]).startswith("Refunded 50 USD")
    desk.live_run_events(run_id, "mara-lindt")
    (reading,) = events(control.workspace, run_id, "payload_read")
    assert (reading["person_id"], reading["row_count"]) == (
        "mara-lindt",
        sum("payload_id" in event for event in told),
    )
    assert {event["payload_text"] for event in desk.live_run_events(run_id, "li-chen")} == {None}
    assert {event["payload_text"] for event in desk.live_run_events(run_id, "jon-vass")} == {None}
    for stranger in ("otto-klein", "eva-sol"):
        with pytest.raises(AccessRefused):
            desk.live_run_events(run_id, stranger)
    with pytest.raises(NotFound):
        desk.live_run_events("no-such-run", "mara-lindt")


def test_an_export_is_told_before_its_files_appear_and_refused_to_who_may_not(
    control: Control, desk: Desk
) -> None:
    wanted = {
        "export_id": "ex-1",
        "export_format": "csv",
        "row_count": 12,
        "content_sha256": "ab" * 32,
        "filter_text": "{}",
        "scope": "team",
    }
    event_id = desk.record_export("mara-lindt", **wanted)  # type: ignore[arg-type]  # one dict for two calls
    assert event_id
    with pytest.raises(AccessRefused, match="role agent_user may not export_data"):
        desk.record_export("jon-vass", **wanted)  # type: ignore[arg-type]  # one dict for two calls


def test_as_many_sessions_read_at_once_as_there_are(control: Control) -> None:
    """A pool of fifteen connections, none of which came back, failed the page of the sixteenth session."""
    together = threading.Barrier(24, timeout=120)

    def look(_number: int) -> int:
        with control.store.read() as connection:
            together.wait()  # nobody has finished reading when the last one begins
            return len(connection.execute(sa.text("select name from store_facts")).all())

    with ThreadPoolExecutor(24) as threads:
        assert set(threads.map(look, range(24))) == {1}
