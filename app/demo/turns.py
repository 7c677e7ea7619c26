"""Model turns of the demo history: attempts, tokens, list price and duration."""

from __future__ import annotations

import random

from app.demo import words
from app.demo.cast import Version
from app.demo.habits import Habit
from app.demo.record import Charge, Record
from app.demo.weather import MODEL_FAILURE_RATE, Weather
from ingest.contract import Value

MODEL_ERRORS = ("ModelServerError", "ModelRateLimitError", "ModelConnectionError")
MAX_ATTEMPTS = 3
LEAST_INPUT_TOKENS = 200
LEAST_OUTPUT_TOKENS = 12
GROWTH_PER_TURN = 0.35  # what a turn adds to the prompt of the next one
CACHED_SHARE = 0.6  # of the turns, and of the tokens that the last prompt had


class Turns:
    """The model turns of one run; ``count`` is the number of those that were answered."""

    def __init__(
        self, record: Record, habit: Habit, version: Version, weather: Weather, dice: random.Random
    ) -> None:
        self._record = record
        self._habit = habit
        self._version = version
        self._weather = weather
        self._dice = dice
        self._last_input = 0
        self.count = 0
        self.charges: list[Charge] = []

    def take(self, *, is_last: bool) -> bool:
        """One turn with its attempts; False when no attempt was answered."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            input_tokens = self._input_tokens()
            columns = self._ask(attempt, input_tokens)
            if self._dice.random() >= MODEL_FAILURE_RATE:
                self._answer(columns, input_tokens, is_last)
                self.count += 1
                return True
            self._fail(columns, attempt)
        return False

    def _input_tokens(self) -> int:
        grown = self._habit.prompt_tokens * self._version.past.tokens * (1 + GROWTH_PER_TURN * self.count)
        return max(LEAST_INPUT_TOKENS, int(grown * self._dice.lognormvariate(0.0, 0.22)))

    def _ask(self, attempt: int, input_tokens: int) -> dict[str, Value]:
        """Record that a model call is about to be made; returns the columns that name it."""
        card, most = self._version.card, self._version.max_output_tokens
        columns: dict[str, Value] = {
            "turn_index": self.count,
            "attempt": attempt,
            "provider_name": card.provider,
            "requested_model": card.name,
            "hold_nano_usd": card.cost_nano_usd(input_tokens, 0, most),
        }
        self._record.tell("turn_requested", columns, max_output_tokens=most)
        return columns

    def _fail(self, columns: dict[str, Value], attempt: int) -> None:
        card = self._version.card
        duration = self._record.work(1500 + 6000 * self._dice.random())
        # An attempt that the provider refused was not billed: its cost is known, and 0.
        self._record.tell(
            "turn_finished",
            columns,
            list_cost_nano_usd=None if card.price_version is None else 0,
            price_version=card.price_version,
            duration_ns=duration,
            error_type=self._dice.choice(MODEL_ERRORS),
        )
        self._record.wait(800 * attempt)

    def _answer(self, columns: dict[str, Value], input_tokens: int, is_last: bool) -> None:
        card, record, dice = self._version.card, self._record, self._dice
        output = self._output_tokens(is_last)
        is_cached = dice.random() < CACHED_SHARE
        cached = int(min(self._last_input, input_tokens) * CACHED_SHARE) if is_cached else 0
        slow = self._weather.slowdown(card.provider, record.now)
        writing = (card.first_token_ms + output * card.token_ms) * slow
        duration = record.work(writing * dice.lognormvariate(0.0, 0.32))
        cost = card.cost_nano_usd(input_tokens, cached, output)
        record.tell(
            "turn_finished",
            columns,
            text=words.answer(dice) if is_last and record.keeps_texts else "",
            kind="turn",
            served_model=card.name,
            input_tokens=input_tokens,
            output_tokens=output,
            cache_read_tokens=cached,
            is_cache_in_input=True,
            list_cost_nano_usd=cost,
            price_version=card.price_version,
            finish_reason="stop" if is_last else "tool_call",
            duration_ns=duration,
        )
        self._last_input = input_tokens
        if cost is not None:
            self.charges.append(Charge(record.now, self._habit.agent_id, cost))

    def _output_tokens(self, is_last: bool) -> int:
        share = 1.0 if is_last else 0.4  # a turn that only calls tools is short
        drawn = int(self._habit.answer_tokens * share * self._dice.lognormvariate(0.0, 0.4))
        return min(max(LEAST_OUTPUT_TOKENS, drawn), self._version.max_output_tokens)
