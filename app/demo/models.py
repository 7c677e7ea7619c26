"""List prices and speeds of the models in the demo history.

Prices come from the installed genai-prices table, once per model; speeds are plausible, not measured.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version

# model → (milliseconds until the first token, milliseconds per output token)
SPEEDS: dict[str, tuple[float, float]] = {
    "openai:gpt-4.1-mini": (420, 8.5),
    "openai:gpt-5-mini": (900, 9.5),
    "openai:gpt-4o-mini": (400, 9.0),
    "anthropic:claude-haiku-4-5": (520, 7.5),
    "anthropic:claude-sonnet-4-5": (900, 14.0),
    "google:gemini-2.5-flash": (450, 6.5),
    "ollama:qwen3-32b": (1500, 28.0),
}
UNPRICED_PROVIDERS = ("ollama",)  # a model server of one's own has no list price
_SAMPLE_TOKENS = 1000  # small enough for the first price tier of every model
_NANO = Decimal(10**9)


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """One model: provider, name, speed, and nano-USD per token; None where there is no list price."""

    provider: str
    name: str
    first_token_ms: float
    token_ms: float
    input_nano: int | None
    cached_nano: int | None
    output_nano: int | None
    price_version: str | None

    def cost_nano_usd(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> int | None:
        """Cost at list price; cached tokens are counted inside input_tokens. None when there is no price."""
        if self.input_nano is None or self.cached_nano is None or self.output_nano is None:
            return None
        plain = (input_tokens - cached_tokens) * self.input_nano
        return plain + cached_tokens * self.cached_nano + output_tokens * self.output_nano


def model_card(model: str, moment: dt.datetime) -> ModelCard:
    """The card of ``provider:name`` with the prices valid at ``moment``."""
    provider, _, name = model.partition(":")
    first_token_ms, token_ms = SPEEDS[model]
    if provider in UNPRICED_PROVIDERS:
        prices: tuple[int | None, int | None, int | None] = (None, None, None)
        price_version = None
    else:
        prices = _prices(provider, name, moment)
        price_version = f"genai-prices-{version('genai-prices')}"
    return ModelCard(
        provider=provider,
        name=name,
        first_token_ms=first_token_ms,
        token_ms=token_ms,
        input_nano=prices[0],
        cached_nano=prices[1],
        output_nano=prices[2],
        price_version=price_version,
    )


def _prices(provider: str, name: str, moment: dt.datetime) -> tuple[int, int, int]:
    """Nano-USD per input, cached input and output token."""
    from genai_prices import Usage, calc_price

    def per_token(usage: Usage) -> int:
        price = calc_price(usage, name, provider_id=provider, genai_request_timestamp=moment)
        return int(Decimal(price.total_price) * _NANO / _SAMPLE_TOKENS)

    return (
        per_token(Usage(input_tokens=_SAMPLE_TOKENS)),
        per_token(Usage(input_tokens=_SAMPLE_TOKENS, cache_read_tokens=_SAMPLE_TOKENS)),
        per_token(Usage(output_tokens=_SAMPLE_TOKENS)),
    )
