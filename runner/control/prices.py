"""List prices: what a model call costs at most before it, and exactly after it, in nano-USD.

Own prices in registry.yaml come first (local and simulated models have no other); everything else is looked
up in the genai-prices table that is installed. A model without a price is unknown: None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import Protocol

from runner.control.providers import PROVIDERS
from runner.control.registry_extras import Price

NANO = 10**9
# USD per million tokens = 1,000 nano-USD per token.
_NANO_PER_TOKEN = Decimal(NANO) / Decimal(10**6)
# Providers that genai-prices is asked for, by their name in events. A compatible endpoint elsewhere may serve
# anything under any name, so it has own prices or none.
_LISTED_PROVIDERS = {row.name: row.price_list for row in PROVIDERS.values() if row.price_list}


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Raw token counts of one call; cached tokens are inside ``input_tokens``, reasoning inside output."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class ModelPrice(Protocol):
    """The list price of one model, from one version of a price table."""

    @property
    def version(self) -> str:
        """Version of the price table."""
        ...

    def cost_nano_usd(self, tokens: Tokens) -> int:
        """Cost of a call at list price, rounded half even to whole nano-USD."""
        ...

    def worst_nano_usd(self, input_tokens: int, output_tokens: int) -> int:
        """The most a call with at most these tokens can cost, rounded up."""
        ...


@dataclass(frozen=True)
class OwnPrice:
    """A price line of registry.yaml."""

    line: Price

    @property
    def version(self) -> str:
        """Version named on the line."""
        return self.line.version

    def cost_nano_usd(self, tokens: Tokens) -> int:
        """Σ tokens × price; a cache price that is not given is the input price."""
        line = self.line
        read_price, write_price = (
            line.input_usd_per_mtok if price is None else price
            for price in (line.cache_read_usd_per_mtok, line.cache_write_usd_per_mtok)
        )
        plain = tokens.input_tokens - tokens.cache_read_tokens - tokens.cache_write_tokens
        cost = (
            plain * line.input_usd_per_mtok
            + tokens.cache_read_tokens * read_price
            + tokens.cache_write_tokens * write_price
            + tokens.output_tokens * line.output_usd_per_mtok
        )
        return int((cost * _NANO_PER_TOKEN).to_integral_value(ROUND_HALF_EVEN))

    def worst_nano_usd(self, input_tokens: int, output_tokens: int) -> int:
        """All input at the dearest of the input prices."""
        line = self.line
        dearest = max(line.input_usd_per_mtok, line.cache_write_usd_per_mtok or Decimal(0))
        cost = input_tokens * dearest + output_tokens * line.output_usd_per_mtok
        return int((cost * _NANO_PER_TOKEN).to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, kw_only=True)
class ListedPrice:
    """A model of the installed genai-prices table."""

    model: str
    provider: str
    version: str

    def cost_nano_usd(self, tokens: Tokens) -> int:
        """The table's price for these tokens, tiers and cache prices included."""
        return int((self._usd(tokens) * NANO).to_integral_value(ROUND_HALF_EVEN))

    def worst_nano_usd(self, input_tokens: int, output_tokens: int) -> int:
        """The dearer of: no token cached, every input token written to the cache."""
        plain = Tokens(input_tokens=input_tokens, output_tokens=output_tokens)
        written = Tokens(
            input_tokens=input_tokens, output_tokens=output_tokens, cache_write_tokens=input_tokens
        )
        worst = max(self._usd(plain), self._usd(written))
        return int((worst * NANO).to_integral_value(ROUND_CEILING))

    def _usd(self, tokens: Tokens) -> Decimal:
        from genai_prices import Usage, calc_price

        usage = Usage(
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            cache_read_tokens=tokens.cache_read_tokens,
            cache_write_tokens=tokens.cache_write_tokens,
        )
        return Decimal(calc_price(usage, self.model, provider_id=self.provider).total_price)


def price_of(prices: tuple[Price, ...], provider: str, model: str) -> ModelPrice | None:
    """The price of ``model`` (as registered, ``provider:model`` or what follows the colon), or None.

    ``provider`` is the provider that really answers (``openai`` only for its own endpoint). An exact line
    comes before a ``*`` line, a longer prefix before a shorter one.
    """
    name = model.partition(":")[2]
    for line in sorted(prices, key=lambda line: (line.model.endswith("*"), -len(line.model))):
        prefix = line.model.removesuffix("*")
        is_prefix = prefix != line.model
        if any(full.startswith(prefix) if is_prefix else full == prefix for full in (model, name)):
            return OwnPrice(line)
    listed = _LISTED_PROVIDERS.get(provider)
    return _listed(name, listed) if listed else None


@lru_cache(maxsize=256)
def _listed(model: str, provider: str) -> ModelPrice | None:
    price = ListedPrice(model=model, provider=provider, version=f"genai-prices-{version('genai-prices')}")
    try:
        price.worst_nano_usd(1, 1)
    except LookupError:
        return None
    return price


def output_that_fits(price: ModelPrice, input_tokens: int, wanted: int, room_nano_usd: int) -> int:
    """The largest output bound up to ``wanted`` whose worst case fits ``room_nano_usd``; 0 when none does."""
    low, high = 0, wanted
    while low < high:
        middle = (low + high + 1) // 2
        if price.worst_nano_usd(input_tokens, middle) <= room_nano_usd:
            low = middle
        else:
            high = middle - 1
    return low
