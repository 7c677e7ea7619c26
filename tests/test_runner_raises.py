"""Caps raised for a time: asked for by one person, approved by another, gone by themselves."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.balances import Balance, balances
from runner.control.plane import Control
from runner.control.purses import purses_of
from runner.control.raise_requests import decide_raise, request_raise
from runner.errors import NotFound, RaiseRefused
from tests.conftest import Clock
from tests.runner_company import Command, company, fleetbook, registry
from tests.sealed_log import sealed_events

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]

USD = 10**9
BUDGETS = ("export_data, apply_registry]", "export_data, apply_registry, change_budget]")
MANAGERS = (
    "team_manager: {scope: team, may: [run_agent,",
    "team_manager: {scope: team, may: [change_budget, run_agent,",
)


def team(control: Control) -> Balance:
    return next(one for one in balances(control) if one.purse.wallet_id == "team:support:month")


def ask(control: Control, clock: Clock, **more: float) -> str:
    """Jon asks for 30 USD more for two days."""
    until = clock() + dt.timedelta(days=2)
    one = request_raise(
        control, "team:support", Decimal(30), until, person_id="jon-vass", reason="Black Friday"
    )
    return one.raise_id


def spend(control: Control, usd: int, name: str = "r1") -> bool:
    """Hold and settle whole USD in the team's wallet; False when it does not fit."""
    taken = purses_of(control.registry(), "triage-agent", "support", name, control.store.clock())
    with control.store.write() as tx:
        if wallet.take(tx, taken, usd * USD, wallet.Attempt(name, 0, 1)) is not None:
            return False
        wallet.settle(tx, taken, usd * USD, usd * USD, wallet.Attempt(name, 0, 1))
    return True


def test_a_raise_counts_once_another_person_approved_it_and_ends_by_itself(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, BUDGETS, clock=clock)
    raise_id = ask(control, clock)
    assert team(control).cap_nano_usd == 50 * USD
    assert spend(control, 40)
    assert not spend(control, 20, "r2")
    decide_raise(control, raise_id, person_id="priya-nair", is_approved=True)
    assert (team(control).cap_nano_usd, team(control).raised_nano_usd) == (80 * USD, 30 * USD)
    assert spend(control, 35, "r3")

    clock.advance(days=2)
    # Nobody has looked meanwhile: the next hold finds the cap as it was.
    assert not spend(control, 1, "r4")
    after = team(control)
    assert (after.cap_nano_usd, after.raised_nano_usd) == (50 * USD, 0)
    # More was spent while that was allowed; it is shown, and nothing new is held.
    assert (after.spent_nano_usd, after.over_nano_usd, after.free_nano_usd) == (75 * USD, 25 * USD, 0)
    control.relay.flush()
    control.close()
    found = sealed_events(
        workspace, "budget_raise_requested", "budget_raised", "budget_raise_expired", "budget_raise_rejected"
    )
    assert [(event["event_type"], event.get("person_id")) for event in found] == [
        ("budget_raise_requested", "jon-vass"),
        ("budget_raised", "priya-nair"),
        ("budget_raise_expired", None),
    ]
    assert {event["raise_id"] for event in found} == {raise_id}
    assert [event.get("cap_nano_usd") for event in found] == [None, 80 * USD, 50 * USD]
    assert found[2]["spent_nano_usd"] == 75 * USD


def test_two_raises_add_up_and_end_apart(workspace: Workspace, clock: Clock) -> None:
    control = company(workspace, BUDGETS, clock=clock)
    for days in (1, 3):
        until = clock() + dt.timedelta(days=days)
        one = request_raise(
            control, "team:support:month", Decimal(10), until, person_id="jon-vass", reason="launch"
        )
        decide_raise(control, one.raise_id, person_id="priya-nair", is_approved=True)
    assert team(control).cap_nano_usd == 70 * USD
    clock.advance(days=1)
    assert team(control).cap_nano_usd == 60 * USD
    clock.advance(days=2)
    assert team(control).cap_nano_usd == 50 * USD
    control.close()


def test_a_raise_holds_in_the_next_window_too_and_survives_a_change_of_the_declared_cap(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, BUDGETS, clock=clock)
    until = dt.datetime(2026, 12, 10, tzinfo=dt.UTC)
    one = request_raise(control, "team:support", Decimal(10), until, person_id="jon-vass", reason="launch")
    decide_raise(control, one.raise_id, person_id="priya-nair", is_approved=True)
    control.apply(registry(BUDGETS, ('cap_usd: "50.00"', 'cap_usd: "55.00"')))
    assert team(control).cap_nano_usd == 65 * USD
    clock.advance(days=28)  # 2 December
    assert spend(control, 65)
    clock.advance(days=9)  # 11 December
    assert team(control).cap_nano_usd == 55 * USD
    control.close()


@pytest.mark.parametrize(
    ("person", "rule"),
    [
        ("jon-vass", "role:agent_user"),
        ("otto-klein", "scope:team"),
    ],
)
def test_who_may_not_change_the_budget_cannot_approve(
    workspace: Workspace, clock: Clock, person: str, rule: str
) -> None:
    control = company(workspace, BUDGETS, MANAGERS, clock=clock)
    raise_id = ask(control, clock)
    with pytest.raises(RaiseRefused) as refused:
        decide_raise(control, raise_id, person_id=person, is_approved=True)
    assert refused.value.rule == rule
    assert team(control).cap_nano_usd == 50 * USD
    control.close()
    assert [event["refusal_rule"] for event in sealed_events(workspace, "action_refused")] == [rule]


def test_nobody_approves_their_own_raise_and_none_is_decided_twice(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, BUDGETS, MANAGERS, clock=clock)
    until = clock() + dt.timedelta(days=2)
    own = request_raise(control, "team:support", Decimal(5), until, person_id="mara-lindt", reason="more")
    with pytest.raises(RaiseRefused, match="mara-lindt asked for it"):
        decide_raise(control, own.raise_id, person_id="mara-lindt", is_approved=True)
    with pytest.raises(RaiseRefused, match="a rejection needs a reason"):
        decide_raise(control, own.raise_id, person_id="priya-nair", is_approved=False)
    decide_raise(control, own.raise_id, person_id="priya-nair", is_approved=False, reason="not now")
    with pytest.raises(RaiseRefused, match="the raise is rejected"):
        decide_raise(control, own.raise_id, person_id="priya-nair", is_approved=True)
    late = ask(control, clock)
    clock.advance(days=2)
    with pytest.raises(RaiseRefused, match="would have ended"):
        decide_raise(control, late, person_id="priya-nair", is_approved=True)
    assert team(control).cap_nano_usd == 50 * USD
    control.close()


def test_what_cannot_be_raised_is_refused_with_what_to_do(workspace: Workspace, clock: Clock) -> None:
    free = ('window: month, cap_usd: "20.00"', 'window: month, unlimited: true, reason: "pilot"')
    control = company(workspace, BUDGETS, free, clock=clock)
    until = clock() + dt.timedelta(days=1)

    def refused(name: str, by: str, ends: dt.datetime, reason: str) -> str:
        with pytest.raises(RaiseRefused) as error:
            request_raise(control, name, Decimal(by), ends, person_id="jon-vass", reason=reason)
        return error.value.rule

    assert refused("agent:refund-agent", "5", until, "x") == "unlimited"
    assert refused("team:support", "0", until, "x") == "amount"
    assert refused("team:support", "5", clock(), "x") == "time"
    assert refused("team:support", "5", until, " ") == "reason-missing"
    with pytest.raises(NotFound, match="The nearest one is 'team:support:month'"):
        request_raise(control, "team:suport:month", Decimal(5), until, person_id="jon-vass", reason="x")
    control.close()


def test_the_command_line_shows_what_is_left_and_carries_a_raise(
    workspace: Workspace, fleetbook: Command
) -> None:
    company(workspace, BUDGETS).close()
    code, out, _ = fleetbook("wallets")
    assert code == 0
    assert "team:support:month        0.00 USD of 50.00 USD spent · 0.00 USD held · 0.00 USD unknown" in out
    assert "50.00 USD free · 0% used" in out
    code, out, _ = fleetbook(
        *("wallets", "raise", "team:support", "--by", "50", "--until", "2099-11-30"),
        *("--reason", "Black Friday", "--as", "jon-vass"),
    )
    assert (code, "+50.00 USD until 2099-12-01 00:00, asked by jon-vass (Black Friday)" in out) == (0, True)
    raise_id = out.split()[1].rstrip(":")
    code, _, error = fleetbook("wallets", "approve-raise", raise_id, "--as", "jon-vass")
    assert (code, "may not change_budget" in error) == (1, True)
    code, out, _ = fleetbook("wallets", "approve-raise", raise_id, "--as", "priya-nair")
    assert (code, "approved by priya-nair" in out) == (0, True)
    _, out, _ = fleetbook("wallets")
    assert "of 100.00 USD spent" in out
    assert "50.00 USD of the cap are raises; the next one ends 2099-12-01 00:00" in out
    for by, until in (("viel", "2099-11-30"), ("50", "soon")):
        words = ("--by", by, "--until", until, "--reason", "x", "--as", "jon-vass")
        assert fleetbook("wallets", "raise", "team:support", *words)[0] == 2
