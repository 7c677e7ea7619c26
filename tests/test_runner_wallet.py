"""Wallets: windows in the company's time zone, holds and settlements by hand."""

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
from runner.control.registry_extras import Price
from runner.control.tables import wallets
from tests.conftest import Clock
from tests.runner_company import company, registry

pytestmark = pytest.mark.both_engines

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
