"""The gate of model turns: held before each attempt, settled after it, retried by us and nobody else."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model

from ingest.contract import Value
from runner.agent.answers import Billed, Held, asks_person, bill, journal_entry, with_unique_ids
from runner.agent.bounds import InputBound
from runner.agent.chain import Chain, Link
from runner.agent.failures import is_of_this_model, is_passing, may_be_billed, retry_after_s
from runner.agent.patience import Patience
from runner.agent.progress import TurnDone, TurnText, WaitsForWallet
from runner.agent.session import Session
from runner.control import journal, runs, wallet
from runner.control.journal import Call
from runner.control.purses import Exhausted, Lower, Purse, Short, next_step, purses_of, shortage
from runner.control.store import Transaction, envelope
from runner.control.wallet import Attempt
from runner.errors import BudgetRefused, ModelUnusable, PriceUnknown, RunnerError


class TurnLimitReached(RunnerError):
    """The run has used all model turns that its version allows."""

    def __init__(self, limit: int):
        super().__init__(
            f"Run stopped: it has used all {limit} model turns of its version without an answer. "
            "Raise max_turns of the agent in registry.yaml, or split the task."
        )


@dataclass(frozen=True, kw_only=True)
class Settled:
    """An answer after its settlement: the response to go on with, and its calls as they are journalled."""

    response: ModelResponse
    calls: tuple[Call, ...]


class TurnGate:
    """Holds, settles and records the model turns of one session."""

    def __init__(self, session: Session, tool_bytes: int) -> None:
        self._session = session
        self._bound = InputBound(len(session.frozen.instructions.encode()) + tool_bytes)
        self._held: Held | None = None
        self._model: Model | None = None
        self._chain = Chain(session.links)
        self._chain.tries = session.attempt  # those of a process that died count

    @property
    def attempt_timeout_s(self) -> float:
        """How long one attempt may take in all."""
        return self._session.pacing.attempt_timeout_s

    # Before an attempt

    async def model(self) -> Model:
        """The model of the next attempt. Those that cannot be tried are passed over, each told as an event.

        Raises PriceUnknown or ModelUnusable when none is left.
        """
        if self._model is not None:
            return self._model
        session = self._session
        capped = next((purse.wallet_id for purse in self._purses() if not purse.is_unlimited), None)
        for link, why in self._chain.passed_over(capped):
            await session.write(functools.partial(self._tell_skipped, link=link, why=why))
        self._model = self._chain.link.told(self._tell_text if session.is_streaming else None)
        return self._model

    async def hold(self, messages: Sequence[ModelMessage]) -> int:
        """Hold the worst case of the next attempt in every wallet; returns the output bound to send.

        Waits, within bounds, for holds of others; then lowers the bound. Raises BudgetRefused when nothing
        useful fits, PriceUnknown when there is no price and a wallet has a cap, TurnLimitReached.
        """
        session = self._session
        if session.turn_count >= session.frozen.max_turns:
            await session.gate()
            raise TurnLimitReached(session.frozen.max_turns)
        purses = self._purses()
        input_tokens = self._bound.tokens(messages, self._chain.link)
        wanted = session.frozen.max_output_tokens
        pacing = session.pacing
        tried, patience = wanted, Patience(wait_s=pacing.wallet_wait_s, poll_s=pacing.wallet_poll_s)
        while True:
            short = await self._try_to_hold(purses, input_tokens, tried)
            if short is None:
                return tried
            tried = await self._after_shortage(short, input_tokens, wanted, tried, patience)

    async def _try_to_hold(self, purses: tuple[Purse, ...], input_tokens: int, output: int) -> Short | None:
        session, link = self._session, self._chain.link
        amount = link.price.worst_nano_usd(input_tokens, output) if link.price else 0
        attempt = session.attempt + 1
        turn: dict[str, Value] = {**_named(link), "hold_nano_usd": amount if link.price else None}

        def change(tx: Transaction) -> Short | None:
            short = wallet.take(
                tx,
                purses,
                amount,
                Attempt(session.run.run_id, session.turn_count, attempt),
                turn=json.dumps(turn),
            )
            if short is None:
                place = self._place(attempt)
                tx.emit("turn_requested", {**place, **turn}, max_output_tokens=output)
            return short

        short = await session.write_gated(change, attempt=attempt)
        if short is None:
            session.attempt = attempt
            self._chain.tries += 1
            self._held = Held(
                link=link,
                purses=purses,
                amount_nano_usd=amount,
                attempt=attempt,
                output_tokens=output,
                begun_ns=time.monotonic_ns(),
            )
        return short

    async def _after_shortage(
        self, short: Short, input_tokens: int, wanted: int, tried: int, patience: Patience
    ) -> int:
        session = self._session
        price = self._chain.link.price
        assert price is not None  # without a price nothing is held, so nothing can be short
        step = next_step(short, price, input_tokens, wanted, tried, has_waited=patience.is_over)
        if isinstance(step, Lower):
            return step.output_tokens
        if isinstance(step, Exhausted):
            need = price.worst_nano_usd(input_tokens, wanted)
            reason, advice = shortage(short, need, session.registry.company.time_zone)
            rule = "wallet-busy" if step.is_held_by_others else "wallet-exhausted"
            if not step.is_held_by_others:
                await session.write(lambda tx: wallet.tell_refused(tx, short.purse, need))
            raise BudgetRefused(short.purse.wallet_id, rule, f"Run stopped: {reason}. {advice}")
        session.tell(WaitsForWallet(wallet_id=short.purse.wallet_id))
        begun = time.monotonic_ns()
        seen = wallet.Level(short.cap_nano_usd, short.spent_nano_usd, short.held_nano_usd)
        await patience.wait(seen, lambda: self._level(short.purse))
        session.stopwatch.skip(time.monotonic_ns() - begun)
        return tried

    async def _level(self, purse: Purse) -> wallet.Level | None:
        look = functools.partial(wallet.level, self._session.control.store, purse)
        return look() if self._session.control.store.is_blocking_cheap else await asyncio.to_thread(look)

    def _purses(self) -> tuple[Purse, ...]:
        session = self._session
        run, now = session.run, session.control.store.clock()
        return tuple(purses_of(session.registry, run.agent_id, run.team_id, run.run_id, now, session.above))

    # After an attempt

    async def settle(self, history: Sequence[ModelMessage], response: ModelResponse) -> Settled:
        """Settle an answered attempt, journal the calls it asks for, checkpoint.

        When this returns, the intent of every call is durable in the log. Raises LeaseLost, RelayError.
        """
        session, held = self._session, self._take_held()
        response = with_unique_ids(response)
        billed = bill(response, held)
        self._bound.learn(history, held.link, billed.tokens)
        calls = [journal_entry(session, place, part) for place, part in enumerate(response.tool_calls)]
        messages = ModelMessagesTypeAdapter.dump_json([*history, response]).decode()
        turn_index = session.turn_count

        def change(tx: Transaction) -> None:
            self._give_back(tx, held, billed)
            self._tell_finished(tx, held, billed, response=response)
            journal.record(tx, session.run, [(call, asks_person(session, call)) for call, _ in calls])
            for call, end in calls:
                if end is not None:
                    journal.finish(tx, session.run, call, end)
            runs.checkpoint(
                tx,
                session.run.run_id,
                session.owner,
                messages=messages,
                turn_count=turn_index + 1,
                tool_call_count=session.tool_call_count + len(calls),
                spent_nano_usd=billed.charged_nano_usd,
                worked_ns=session.stopwatch.lap(),
            )

        await session.write_checkpoint(change)
        session.turn_count, session.attempt = turn_index + 1, 0
        self._chain.tries = 0
        session.tool_call_count += len(calls)
        self._watch(turn_index, held, billed, response)
        if calls:
            await session.flush()
        ended = (replace(call, state="finished") if end else call for call, end in calls)
        return Settled(response=response, calls=tuple(ended))

    async def fail(self, error: Exception) -> Model | None:
        """Settle a failed attempt; returns the model to try next, after the pause made here, or None."""
        session, held = self._session, self._take_held()
        # A call that broke off after it was sent may have been billed: charged at the hold, cost unknown.
        charged = held.amount_nano_usd if may_be_billed(error) else 0
        billed = Billed(charged_nano_usd=charged, list_nano_usd=None if may_be_billed(error) else 0)

        def change(tx: Transaction) -> None:
            runs.add_spend(tx, session.run.run_id, charged)
            self._give_back(tx, held, billed)
            self._tell_finished(tx, held, billed, error_type=type(error).__name__)

        await session.write(change)
        session.tell(
            TurnDone(
                turn_index=session.turn_count,
                attempt=held.attempt,
                text="",
                cost_nano_usd=billed.list_nano_usd,
                error=type(error).__name__,
            )
        )
        return await self._next_model(error)

    async def _next_model(self, error: Exception) -> Model | None:
        session, chain = self._session, self._chain
        if is_passing(error) and chain.tries < session.pacing.attempts:
            begun = time.monotonic_ns()
            await asyncio.sleep(self._pause(error))
            session.stopwatch.skip(time.monotonic_ns() - begun)
        elif is_of_this_model(error) and chain.has_next:
            chain.go_on()
            self._model = None
        else:
            return None
        try:
            return await self.model()
        except (ModelUnusable, PriceUnknown):
            return None  # the run ends with what this model said

    def _pause(self, error: Exception) -> float:
        pacing, tries = self._session.pacing, self._chain.tries
        backoff = pacing.backoff_s[min(tries, len(pacing.backoff_s)) - 1] if pacing.backoff_s else 0.0
        return max(backoff, min(retry_after_s(error), pacing.longest_retry_after_s))

    def _take_held(self) -> Held:
        held, self._held = self._held, None
        assert held is not None  # the hooks call hold before each attempt and settle or fail once after it
        return held

    def _give_back(self, tx: Transaction, held: Held, billed: Billed) -> None:
        wallet.settle(
            tx,
            held.purses,
            held.amount_nano_usd,
            billed.charged_nano_usd,
            Attempt(self._session.run.run_id, self._session.turn_count, held.attempt),
        )

    def _tell_finished(
        self,
        tx: Transaction,
        held: Held,
        billed: Billed,
        *,
        response: ModelResponse | None = None,
        error_type: str | None = None,
    ) -> None:
        tokens = billed.tokens
        answered: dict[str, Value] = {}
        if response is not None:
            answered = {"served_model": response.model_name, "finish_reason": response.finish_reason}
        if tokens is not None and response is not None:
            answered |= {
                "input_tokens": tokens.input_tokens,
                "output_tokens": tokens.output_tokens,
                "cache_read_tokens": tokens.cache_read_tokens,
                "cache_write_tokens": tokens.cache_write_tokens,
                "reasoning_tokens": response.usage.output_reasoning_tokens,
                "is_cache_in_input": True,
            }
        tx.emit(
            "turn_finished",
            {**self._place(held.attempt), **_named(held.link), **answered},
            text=(response.text or None) if response is not None else None,
            kind="turn",
            list_cost_nano_usd=billed.list_nano_usd,
            price_version=held.link.price.version if held.link.price else None,
            hold_nano_usd=held.amount_nano_usd if held.link.price else None,
            duration_ns=time.monotonic_ns() - held.begun_ns,
            error_type=error_type,
        )

    def _tell_skipped(self, tx: Transaction, *, link: Link, why: ModelUnusable | PriceUnknown) -> None:
        place = self._place(self._session.attempt)
        rule = why.rule if isinstance(why, PriceUnknown) else "model-unusable"
        wallet_id = why.wallet_id if isinstance(why, PriceUnknown) else None
        named = {**place, **_named(link)}
        tx.emit("model_skipped", named, refusal_rule=rule, reason=str(why), wallet_id=wallet_id)

    def _tell_text(self, text: str) -> None:
        session = self._session
        session.tell(TurnText(turn_index=session.turn_count, attempt=session.attempt, text=text))

    def _place(self, attempt: int) -> dict[str, Value]:
        session = self._session
        return {**envelope(session.run), "turn_index": session.turn_count, "attempt": attempt}

    def _watch(self, turn_index: int, held: Held, billed: Billed, response: ModelResponse) -> None:
        tokens = billed.tokens
        self._session.tell(
            TurnDone(
                turn_index=turn_index,
                attempt=held.attempt,
                text=response.text or "",
                calls=tuple((part.tool_name, part.args_as_json_str()) for part in response.tool_calls),
                input_tokens=tokens.input_tokens if tokens else None,
                output_tokens=tokens.output_tokens if tokens else None,
                cost_nano_usd=billed.list_nano_usd,
            )
        )


def _named(link: Link) -> dict[str, Value]:
    return {"provider_name": link.provider_name, "requested_model": link.requested_model}
