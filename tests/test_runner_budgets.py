"""Budgets of real runs: spent to the token, refused with numbers, waited for, lowered, capped per run."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.agent.progress import Progress, WaitsForWallet
from runner.control import wallet
from runner.control.plane import Control
from runner.control.purses import (
    Purse,
    purses_of,
)
from runner.control.tables import holds, wallets
from runner.errors import NotFound, RunRefused
from runner.worker import run_until_parked
from tests.conftest import Clock
from tests.runner_company import HASTY, company, events, play, resume, told

pytestmark = pytest.mark.both_engines


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def rows(control: Control) -> dict[str, tuple[int, int, int]]:
    """Spent, held and swept of each wallet."""
    with control.store.read() as connection:
        return {
            row.wallet_id: (row.spent_nano_usd, row.held_nano_usd, row.swept_nano_usd)
            for row in connection.execute(sa.select(wallets).order_by(wallets.c.wallet_id))
        }


def purses(control: Control, agent_id: str = "refund-agent") -> list[Purse]:
    return purses_of(control.registry(), agent_id, "support", "r1", control.store.clock())


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
    # Enough for one refund and for a request, not for the worst case of a second one's first turn.
    control = company(workspace, ('cap_usd: "20.00"', 'cap_usd: "0.0018"'))
    play(control, "refund-agent", "Refund W-2211")
    outcome = play(control, "refund-agent", "Refund W-2211")
    assert outcome.end_state == "stopped_budget"
    assert "Run stopped: wallet agent:refund-agent:month has 0.001040 USD" in str(outcome.reason)
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


def hold_of_another(control: Control, left_nano_usd: int, cap_nano_usd: int) -> list[Purse]:
    """Another run holds all of the team's wallet but ``left_nano_usd``."""
    taken = purses(control, "triage-agent")
    with control.store.write() as tx:
        other = wallet.Attempt("other", 0, 1)
        assert wallet.take(tx, taken, cap_nano_usd - left_nano_usd, other) is None
    return taken


def test_a_run_waits_for_the_hold_of_another_and_goes_on_when_it_comes_back(workspace: Workspace) -> None:
    control = company(workspace, ('cap_usd: "50.00"', 'cap_usd: "0.1"'))
    run_id = control.request_run("triage-agent", "Sort the tickets", "jon-vass")
    taken = hold_of_another(control, 1_000, 100_000_000)
    waits: list[str] = []

    def watch(progress: Progress) -> None:
        if isinstance(progress, WaitsForWallet) and not waits:
            waits.append(progress.wallet_id)
            with control.store.write() as tx:
                wallet.settle(tx, taken, 99_999_000, 0, wallet.Attempt("other", 0, 1))

    outcome = run_until_parked(control, run_id, watch=watch, pacing=replace(HASTY, wallet_wait_s=30))
    assert outcome is not None
    assert outcome.end_state == "completed"
    assert waits == ["team:support:month"]
    # It waited for the whole bound instead of shrinking its hold.
    assert events(workspace, run_id, "turn_requested")[0]["max_output_tokens"] == 400
    control.close()


def test_a_run_that_waited_in_vain_takes_what_is_free_or_stops(workspace: Workspace) -> None:
    control = company(workspace, ('cap_usd: "50.00"', 'cap_usd: "0.1"'))
    first, second = (control.request_run("triage-agent", "Sort the tickets", "jon-vass") for _ in range(2))
    hold_of_another(control, 3_000_000, 100_000_000)
    resume(control, first)
    requested = events(workspace, first, "turn_requested")
    assert 64 <= int(str(requested[0]["max_output_tokens"])) < 400
    assert int(str(requested[0]["hold_nano_usd"])) <= 3_000_000
    with control.store.write() as tx:
        left = 100_000_000 - sum(rows(control)["team:support:month"][:2])
        assert wallet.take(tx, purses(control, "triage-agent"), left, wallet.Attempt("another", 0, 1)) is None
    outcome = resume(control, second)
    assert outcome.end_state == "stopped_budget"
    assert "of it held by other calls" in str(outcome.reason)
    assert events(workspace, second, "run_ended")[0]["error_type"] == "wallet-busy"
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
