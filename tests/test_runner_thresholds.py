"""Thresholds and forecasts: told once per window and cap, in the settlement that passes them."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.ancestry import Above
from runner.control.balances import balances
from runner.control.columns import EPOCH, FAR_FUTURE
from runner.control.forecast import is_worth_telling, projected_at
from runner.control.plane import Control
from runner.control.purses import Purse, purses_of
from runner.control.sending import send_due
from runner.control.thresholds import passed
from runner.errors import RunRefused
from tests.conftest import Clock
from tests.runner_company import company, registry
from tests.sealed_log import sealed_events

USD = 10**9
AGENT_CAP = ('  - {wallet: "agent:refund-agent", window: month, cap_usd: "20.00"}\n', "")


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def purses(control: Control, run_id: str = "r1") -> list[Purse]:
    return purses_of(control.registry(), "triage-agent", "support", run_id, control.store.clock())


def spend(control: Control, usd: int, turn: int) -> None:
    taken = purses(control)
    with control.store.write() as tx:
        assert wallet.take(tx, taken, usd * USD, wallet.Attempt("r1", turn, 1)) is None
        wallet.settle(tx, taken, usd * USD, usd * USD, wallet.Attempt("r1", turn, 1))


@pytest.mark.parametrize(
    ("spent", "cap", "percent"),
    [
        *((0, 10, 0), (49, 100, 0), (50, 100, 50), (79, 100, 50), (80, 100, 80), (99, 100, 80)),
        *((100, 100, 100), (7, 5, 100), (0, 0, 0)),
    ],
)
def test_a_threshold_is_passed_when_it_is_reached(spent: int, cap: int, percent: int) -> None:
    assert passed(spent, cap) == percent


def test_a_forecast_goes_on_at_the_speed_so_far() -> None:
    month = {"window_start": at("2026-11-01T00:00"), "window_end": at("2026-12-01T00:00")}
    # 10 of 50 in 5 days: 40 more take 20 days.
    assert projected_at(10, 50, **month, opened_at=None, now=at("2026-11-06T00:00")) == at("2026-11-26T00:00")
    # The same spent within the two days since the wallet was declared would be too early to say.
    late = at("2026-11-04T00:00")
    assert projected_at(10, 50, **month, opened_at=late, now=at("2026-11-06T00:00")) is None
    assert projected_at(10, 50, **month, opened_at=late, now=at("2026-11-08T00:00")) == at("2026-11-24T00:00")
    assert projected_at(0, 50, **month, opened_at=None, now=at("2026-11-20T00:00")) is None
    assert projected_at(50, 50, **month, opened_at=None, now=at("2026-11-02T00:00")) == at("2026-11-02T00:00")
    assert is_worth_telling(at("2026-11-26T00:00"), month["window_end"], at("2026-11-06T00:00"))
    assert not is_worth_telling(at("2026-12-01T00:00"), month["window_end"], at("2026-11-06T00:00"))
    # A wallet without windows counts from its first use, and a week ahead.
    total = {"window_start": EPOCH, "window_end": FAR_FUTURE, "opened_at": at("2026-11-01T00:00")}
    assert projected_at(90, 100, **total, now=at("2026-11-10T00:00")) == at("2026-11-11T00:00")
    assert projected_at(1, 10**12, **total, now=at("2026-11-10T00:00")) is None
    assert is_worth_telling(at("2026-11-11T00:00"), FAR_FUTURE, at("2026-11-10T00:00"))
    assert not is_worth_telling(at("2026-11-20T00:00"), FAR_FUTURE, at("2026-11-10T00:00"))


@pytest.mark.both_engines
def test_each_threshold_is_told_once_per_window_with_its_notice(workspace: Workspace, clock: Clock) -> None:
    control = company(workspace, AGENT_CAP, clock=clock)
    for turn, usd in enumerate((24, 1, 5, 12, 3, 5)):  # 24 25 30 42 45 50 of 50
        spend(control, usd, turn)
    clock.advance(days=28)  # December
    spend(control, 45, 10)  # 50 and 80 % at once
    send_due(control)
    control.close()
    found = sealed_events(workspace, "budget_threshold_passed")
    assert [(event["threshold_percent"], event["spent_nano_usd"]) for event in found] == [
        *((50, 25 * USD), (80, 42 * USD), (100, 50 * USD)),
        *((50, 45 * USD), (80, 45 * USD)),
    ]
    assert {str(event["window_end_at"]) for event in found[:3]} == {"2026-11-30 23:00:00+00:00"}
    lines = [json.loads(line) for line in workspace.notices_file.read_text().splitlines()]
    assert {line["title"] for line in lines if line["kind"] == "wallet-threshold"} == {
        "Wallet team:support:month has passed 50 %: 25.00 USD of 50.00 USD spent",
        "Wallet team:support:month has passed 80 %: 42.00 USD of 50.00 USD spent",
        "Wallet team:support:month has passed 100 %: 50.00 USD of 50.00 USD spent",
        "Wallet team:support:month has passed 80 %: 45.00 USD of 50.00 USD spent",
    }
    assert {(line["team_id"], line["wallet_id"]) for line in lines} == {("support", "team:support:month")}


@pytest.mark.both_engines
def test_an_early_end_is_forecast_once(workspace: Workspace, clock: Clock) -> None:
    control = company(workspace, AGENT_CAP, clock=clock)  # opened on 4 November, 09:00
    spend(control, 8, 0)
    clock.advance(days=4)  # 8 of 50 in 4 days: 21 more days, 29 November
    spend(control, 1, 1)  # 9 in 4 days: 41 more in 18.2 days
    spend(control, 1, 2)
    (balance,) = (one for one in balances(control) if one.purse.wallet_id == "team:support:month")
    assert balance.projected_at == at("2026-11-24T09:00")  # 10 in 4 days: 16 more days
    control.relay.flush()
    control.close()
    (told,) = sealed_events(workspace, "budget_exhaustion_projected")
    assert str(told["projected_at"])[:13] == "2026-11-26 14"  # 8 November 09:00 + 4 × 41 ÷ 9 days
    assert told["spent_nano_usd"] == 9 * USD


@pytest.mark.both_engines
def test_a_call_that_found_too_little_is_told_as_used_up_once(workspace: Workspace) -> None:
    control = company(workspace, AGENT_CAP, ('cap_usd: "50.00"', 'cap_usd: "0.0001"'))
    for _ in range(2):
        with pytest.raises(RunRefused):
            control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    control.close()
    (told,) = sealed_events(workspace, "budget_threshold_passed")
    assert (told["threshold_percent"], told["spent_nano_usd"]) == (100, 0)
    assert "was refused" in str(told["reason"])


def test_a_delegated_run_is_inside_the_wallets_above_it_each_once() -> None:
    per_run = '  - {wallet: "run:refund-agent", window: total, cap_usd: "2.00"}\n'
    per_child = '  - {wallet: "run:triage-agent", window: total, cap_usd: "1.00"}\n'
    declared = registry(("budgets:\n", f"budgets:\n{per_run}{per_child}"))
    parent = Above(
        run_id="parent",
        parent_run_id=None,
        agent_id="refund-agent",
        agent_version=1,
        team_id="support",
        requested_by="jon-vass",
    )
    found = purses_of(declared, "triage-agent", "support", "child", at("2026-11-04T09:00"), (parent,))
    assert [purse.wallet_id for purse in found] == [
        "agent:refund-agent:month",
        "run:child:total",
        "run:parent:total",
        "team:support:month",
    ]


@pytest.mark.both_engines
def test_day_month_total_and_run_caps_hold_at_once_and_a_window_may_end_during_a_run(
    workspace: Workspace, clock: Clock
) -> None:
    more = "".join(
        f'  - {{wallet: "{name}", window: {window}, cap_usd: "{cap}"}}\n'
        for name, window, cap in (
            ("team:support", "day", 5),
            ("team:support", "total", 60),
            ("run:triage-agent", "total", 3),
        )
    )
    control = company(workspace, AGENT_CAP, ("budgets:\n", f"budgets:\n{more}"), clock=clock)
    clock.now = at("2026-11-04T22:59")  # one minute to midnight in Berlin

    def held(run_id: str, usd: int) -> str | None:
        with control.store.write() as tx:
            short = wallet.take(tx, purses(control, run_id), usd * USD, wallet.Attempt(run_id, 0, 1))
        return None if short is None else short.purse.wallet_id

    assert held("a", 4) == "run:a:total"
    before_midnight = purses(control, "a")
    assert held("a", 3) is None
    assert held("b", 3) == "team:support:day"
    clock.advance(minutes=1)
    assert held("b", 3) is None
    # What was held before midnight is settled where it was held.
    with control.store.write() as tx:
        wallet.settle(tx, before_midnight, 3 * USD, 2 * USD, wallet.Attempt("a", 0, 1))
    today = {one.purse.wallet_id: one for one in balances(control)}
    assert (today["team:support:day"].spent_nano_usd, today["team:support:day"].held_nano_usd) == (0, 3 * USD)
    assert today["team:support:month"].spent_nano_usd == today["team:support:total"].spent_nano_usd == 2 * USD
    control.close()
