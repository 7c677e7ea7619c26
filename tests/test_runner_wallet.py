"""Wallets: windows in the company's time zone, holds and settlements by hand, and wallets that are short."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.control import wallet
from runner.control.plane import Control
from runner.control.prices import OwnPrice, Tokens, output_that_fits, price_of
from runner.control.purses import (
    Exhausted,
    Lower,
    Purse,
    Short,
    Wait,
    next_step,
    purses_of,
    usd_text,
    window_bounds,
)
from runner.control.recover import sweep_holds
from runner.control.registry import Price
from runner.control.tables import holds, wallets
from runner.errors import NotFound, RunRefused
from tests.conftest import Clock
from tests.runner_company import company, events, play, registry, told

# 2 USD and 8 USD per million tokens: 2,000 and 8,000 nano-USD a token.
PRICE = OwnPrice(
    Price(model="sim:*", input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(8), version="test-1")
)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("window", "zone", "moment", "start", "end"),
    [
        # Berlin is UTC+1 in winter, UTC+2 in summer: a month may begin and end at different offsets.
        ("month", "Europe/Berlin", "2026-11-04T09:00", "2026-10-31T23:00", "2026-11-30T23:00"),
        ("month", "Europe/Berlin", "2026-10-15T09:00", "2026-09-30T22:00", "2026-10-31T23:00"),
        ("month", "Europe/Berlin", "2026-10-31T23:00", "2026-10-31T23:00", "2026-11-30T23:00"),
        ("month", "Europe/Berlin", "2026-10-31T22:59", "2026-09-30T22:00", "2026-10-31T23:00"),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        # The day on which the clock goes back has 25 hours, the one on which it goes forward 23.
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "America/Los_Angeles", "2026-11-04T07:59", "2026-11-03T08:00", "2026-11-04T08:00"),
    ],
)
def test_windows_are_cut_in_the_companys_time_zone(
    window: str, zone: str, moment: str, start: str, end: str
) -> None:
    assert window_bounds(window, zone, at(moment)) == (at(start), at(end))


def test_prices_are_exact_and_holds_are_rounded_up() -> None:
    line = PRICE.line.model_copy(
        update={"input_usd_per_mtok": Decimal("0.075"), "cache_read_usd_per_mtok": Decimal("0.0185")}
    )
    price = OwnPrice(line)
    # 100 plain × 75 nano + 50 cached × 18.5 nano + 10 × 8,000 nano
    tokens = Tokens(input_tokens=150, output_tokens=10, cache_read_tokens=50)
    assert price.cost_nano_usd(tokens) == 7_500 + 925 + 80_000
    assert price.cost_nano_usd(Tokens(input_tokens=1, output_tokens=0, cache_read_tokens=1)) == 18
    assert (
        OwnPrice(line.model_copy(update={"input_usd_per_mtok": Decimal("0.0185")})).worst_nano_usd(1, 0) == 19
    )


def test_an_exact_price_line_comes_before_a_prefix_and_no_line_is_unknown() -> None:
    lines = tuple(
        PRICE.line.model_copy(update={"model": model, "version": version})
        for model, version in [("sim:*", "a"), ("sim:ref*", "b"), ("sim:refund", "c"), ("llama", "d")]
    )
    chosen = {model: price_of(lines, "sim", model) for model in ("sim:refund", "sim:refill", "sim:x")}
    assert [price.version for price in chosen.values() if price] == ["c", "b", "a"]
    local = price_of(lines, "openai-compatible", "openai-chat:llama")
    assert local is not None
    assert local.version == "d"
    # The name of a listed model at another endpoint says nothing about its price.
    assert price_of(lines, "openai-compatible", "openai-chat:gpt-4o-mini") is None
    listed = price_of(lines, "openai", "openai-chat:gpt-4o-mini")
    assert listed is not None
    # 0.15 and 0.60 USD per million tokens, in genai-prices.
    assert listed.cost_nano_usd(Tokens(input_tokens=1_000, output_tokens=100)) == 150_000 + 60_000
    assert price_of(lines, "openai", "openai-chat:no-such-model") is None


def short(cap: int, spent: int, held: int) -> Short:
    purse = purses_of(registry(), "triage-agent", "support", "r1", at("2026-11-04T09:00"))[0]
    return Short(purse=purse, cap_nano_usd=cap, spent_nano_usd=spent, held_nano_usd=held)


def test_a_short_wallet_first_lowers_then_waits_then_gives_up() -> None:
    # 1,000 input tokens cost 2,000,000 nano-USD at most; each output token 8,000.
    wanted = 400
    full = 2_000_000 + 400 * 8_000
    assert PRICE.worst_nano_usd(1_000, 400) == full
    # Only other holds are in the way: wait; after the wait take what is free now.
    busy = short(cap=full, spent=0, held=full - 2_000_000 - 100 * 8_000)
    assert next_step(busy, PRICE, 1_000, wanted, 400, has_waited=False) == Wait()
    assert next_step(busy, PRICE, 1_000, wanted, 400, has_waited=True) == Lower(output_tokens=100)
    # The cap itself is short: a lower bound of output at once, without waiting.
    tight = short(cap=full, spent=200 * 8_000, held=0)
    assert next_step(tight, PRICE, 1_000, wanted, 400, has_waited=False) == Lower(output_tokens=200)
    # Less than 64 output tokens is of no use to anybody.
    gone = short(cap=full, spent=full - 2_000_000 - 63 * 8_000, held=0)
    assert next_step(gone, PRICE, 1_000, wanted, 400, has_waited=False) == Exhausted(is_held_by_others=False)
    held = short(cap=full, spent=0, held=full - 2_000_000 - 63 * 8_000)
    assert next_step(held, PRICE, 1_000, wanted, 400, has_waited=True) == Exhausted(is_held_by_others=True)


def test_the_output_that_fits_is_the_largest_one() -> None:
    assert output_that_fits(PRICE, 1_000, 400, 2_000_000 + 123 * 8_000) == 123
    assert output_that_fits(PRICE, 1_000, 400, 2_000_000 + 124 * 8_000 - 1) == 123
    assert output_that_fits(PRICE, 1_000, 400, 10**12) == 400
    assert output_that_fits(PRICE, 1_000, 400, 1_999_999) == 0


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (0, "0.00 USD"),
        (268_000, "0.0002680 USD"),
        (415_600_000, "0.4156 USD"),
        (1_234_500_000_000, "1,234.50 USD"),
    ],
)
def test_money_has_two_decimals_above_one_and_four_digits_below(nano_usd: int, text: str) -> None:
    assert usd_text(nano_usd) == text


def rows(control: Control) -> dict[str, tuple[int, int, int]]:
    """Spent, held and swept of each wallet."""
    with control.store.read() as connection:
        return {
            row.wallet_id: (row.spent_nano_usd, row.held_nano_usd, row.swept_nano_usd)
            for row in connection.execute(sa.select(wallets).order_by(wallets.c.wallet_id))
        }


def purses(control: Control, agent_id: str = "refund-agent") -> list[Purse]:
    return purses_of(control.registry(), agent_id, "support", "r1", control.store.clock())


def test_agent_and_team_wallet_are_taken_together_or_not_at_all(workspace: Workspace) -> None:
    control = company(workspace)
    twenty = 20_000_000_000  # the agent's cap; the team has 50
    with control.store.write() as tx:
        place = wallet.Attempt("r1", 0, 1)
        assert wallet.take(tx, purses(control), twenty, place) is None
        refused = wallet.take(tx, purses(control), 1, wallet.Attempt("r2", 0, 1))
    assert refused is not None
    assert refused.purse.wallet_id == "agent:refund-agent:month"
    assert (refused.left_nano_usd, refused.free_nano_usd) == (twenty, 0)
    assert rows(control) == {
        "agent:refund-agent:month": (0, twenty, 0),
        "team:support:month": (0, twenty, 0),
    }
    with control.store.write() as tx:
        wallet.settle(tx, purses(control), twenty, 7, place)
    assert set(rows(control).values()) == {(7, 0, 0)}
    control.close()


def test_a_hold_that_was_swept_and_is_answered_after_all_becomes_spend(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, clock=clock)
    place = wallet.Attempt("r1", 0, 1)
    taken = purses(control)
    with control.store.write() as tx:
        assert wallet.take(tx, taken, 500, place) is None
    clock.advance(minutes=15)
    assert len(sweep_holds(control)) == 2
    assert set(rows(control).values()) == {(0, 0, 500)}
    with control.store.write() as tx:
        wallet.settle(tx, taken, 500, 120, place)
    assert set(rows(control).values()) == {(120, 0, 0)}
    control.close()


def test_a_run_spends_what_its_tokens_cost_and_leaves_no_hold(workspace: Workspace) -> None:
    control = company(workspace)
    outcome = play(control, "triage-agent", "Sort the tickets")
    finished = events(workspace, outcome.run_id, "turn_finished")
    # Every turn by hand: input × 2,000 + output × 8,000 nano-USD.
    costs = [
        int(str(event["input_tokens"])) * 2_000 + int(str(event["output_tokens"])) * 8_000
        for event in finished
    ]
    assert [event["list_cost_nano_usd"] for event in finished] == costs
    assert rows(control)["team:support:month"] == (sum(costs), 0, 0)
    assert control.run(outcome.run_id).spent_nano_usd == sum(costs)
    with control.store.read() as connection:
        assert connection.execute(sa.select(holds)).all() == []
    control.close()


def test_the_window_of_a_new_month_is_empty_and_told_with_its_bounds(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, clock=clock)
    play(control, "triage-agent", "Sort the tickets")
    clock.advance(days=28)
    play(control, "triage-agent", "Sort the tickets")
    with control.store.read() as connection:
        found = connection.execute(
            sa.select(wallets.c.window_start_at, wallets.c.spent_nano_usd)
            .where(wallets.c.wallet_id == "team:support:month")
            .order_by(wallets.c.window_start_at)
        ).all()
    assert [row.window_start_at for row in found] == [at("2026-10-31T23:00"), at("2026-11-30T23:00")]
    assert found[0].spent_nano_usd == found[1].spent_nano_usd > 0
    control.close()


def test_an_empty_wallet_refuses_before_the_run_with_numbers_and_advice(
    workspace: Workspace, clock: Clock
) -> None:
    control = company(workspace, ('cap_usd: "50.00"', 'cap_usd: "0"'), clock=clock)
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    # 16 bytes of task and 64 tokens of answer: 32,000 + 512,000 nano-USD.
    assert str(refused.value) == (
        "Run refused: wallet team:support:month has 0.00 USD of 0.00 USD left until 2026-12-01, "
        "and this call may need 0.0005440 USD (rule wallet:team:support:month). "
        "Raise the month cap of team:support under budgets in registry.yaml and apply it, "
        "or wait until 2026-12-01."
    )
    (event,) = events(workspace, refused.value.run_id, "run_refused")
    assert event["refusal_rule"] == "wallet:team:support:month"
    assert event["wallet_id"] == "team:support:month"
    assert told(workspace, refused.value.run_id) == ["run_requested", "run_refused"]
    control.close()


def test_a_run_that_meets_an_exhausted_wallet_ends_stopped_budget(workspace: Workspace) -> None:
    # Enough for the first turn of the refund, not for the second: 0.006 USD.
    control = company(workspace, ('cap_usd: "20.00"', 'cap_usd: "0.006"'))
    outcome = play(control, "refund-agent", "Refund W-2211")
    assert outcome.end_state == "stopped_budget"
    assert "Run stopped: wallet agent:refund-agent:month has 0.0057" in str(outcome.reason)
    assert "Raise the month cap of agent:refund-agent" in str(outcome.reason)
    (end,) = events(workspace, outcome.run_id, "run_ended")
    assert (end["end_state"], end["error_type"]) == ("stopped_budget", "wallet-exhausted")
    assert rows(control)["agent:refund-agent:month"][1] == 0
    control.close()


def test_the_output_bound_is_lowered_when_the_cap_is_near(workspace: Workspace) -> None:
    control = company(workspace, ('cap_usd: "50.00"', 'cap_usd: "0.004"'))
    outcome = play(control, "triage-agent", "Sort the tickets")
    first = events(workspace, outcome.run_id, "turn_requested")[0]
    bound, hold = int(str(first["max_output_tokens"])), int(str(first["hold_nano_usd"]))
    assert 64 <= bound < 400
    # The largest bound that fits into 4,000,000 nano-USD: one more token would not.
    assert hold <= 4_000_000 < hold + 8_000
    control.close()


def test_a_model_without_a_price_is_refused_where_a_cap_is(workspace: Workspace) -> None:
    control = company(workspace, ('model: "sim:*"', 'model: "other:*"'))
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort", "jon-vass")
    assert refused.value.rule == "unpriced-model"
    assert "Add a line for the model under prices" in str(refused.value)
    control.close()


def test_a_model_without_a_price_runs_on_unlimited_wallets_with_unknown_cost(workspace: Workspace) -> None:
    control = company(
        workspace,
        ('model: "sim:*"', 'model: "other:*"'),
        ('cap_usd: "50.00"', "unlimited: true, reason: shared tooling"),
    )
    outcome = play(control, "triage-agent", "Sort the tickets")
    assert outcome.end_state == "completed"
    finished = events(workspace, outcome.run_id, "turn_finished")
    assert {event.get("list_cost_nano_usd") for event in finished} == {None}
    assert all(int(str(event["input_tokens"])) > 0 for event in finished)
    assert rows(control)["team:support:month"] == (0, 0, 0)
    control.close()


def test_a_cap_of_zero_refuses_everything_paid_and_lets_a_free_model_pass(workspace: Workspace) -> None:
    free = (('cap_usd: "50.00"', 'cap_usd: "0"'), ('"2.00"', '"0"'), ('"8.00"', '"0"'))
    control = company(workspace, *free)
    assert play(control, "triage-agent", "Sort the tickets").end_state == "completed"
    control.close()


def test_an_agent_without_any_wallet_may_not_start(workspace: Workspace) -> None:
    control = company(workspace, ('  - {wallet: "team:support", window: month, cap_usd: "50.00"}\n', ""))
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort", "jon-vass")
    assert refused.value.rule == "no-wallet"
    control.close()


def test_a_run_wallet_caps_each_run_apart(workspace: Workspace) -> None:
    line = '  - {wallet: "team:support", window: month, cap_usd: "50.00"}'
    control = company(
        workspace, (line, line + '\n  - {wallet: "run:triage-agent", window: total, cap_usd: "0.01"}')
    )
    first, second = (play(control, "triage-agent", "Sort the tickets") for _ in range(2))
    # The third turn may cost more than is left of 0.01 USD: its bound is lowered, in both runs alike.
    assert first.end_state == second.end_state
    found = rows(control)
    assert {f"run:{run.run_id}:total" for run in (first, second)} <= found.keys()
    assert all(found[f"run:{run.run_id}:total"][0] <= 10_000_000 for run in (first, second))
    control.close()


def test_imported_spend_counts_once_and_may_be_corrected(workspace: Workspace, clock: Clock) -> None:
    control = company(workspace, clock=clock)
    play(control, "triage-agent", "Sort the tickets")
    own = rows(control)["team:support:month"][0]
    window = at("2026-10-31T23:00")
    control.record_imported_spend("team:support:month", window, 3_000_000_000)
    control.record_imported_spend("team:support:month", window, 2_000_000_000)
    assert rows(control)["team:support:month"][0] == own + 2_000_000_000
    with pytest.raises(NotFound, match="The nearest one is 'team:support:month'"):
        control.record_imported_spend("team:suport:month", window, 1)
    control.close()
