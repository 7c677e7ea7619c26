"""The list prices in use, model by model: what one million tokens of each kind cost, from where, of when."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from runner.control.prices import ModelPrice, OwnPrice, Tokens, price_of
from runner.control.providers import ELSEWHERE, provider_name
from runner.control.registry import Registry

Source = Literal["registry.yaml", "genai-prices", "unknown"]
# A thousand tokens of each kind are priced: a million at once could fall into a dearer tier of the table.
_TOKENS = 1000


@dataclass(frozen=True, kw_only=True)
class PriceLine:
    """The list price of one model in USD per million tokens; None where it is unknown.

    ``dated`` is the version of the price line, or of the installed table.
    """

    model: str
    input_usd_per_mtok: Decimal | None
    output_usd_per_mtok: Decimal | None
    cache_read_usd_per_mtok: Decimal | None
    cache_write_usd_per_mtok: Decimal | None
    source: Source
    dated: str


def price_sheet(registry: Registry) -> list[PriceLine]:
    """One line per model that an agent may call, in order of their names."""
    models = {agent.model for agent in registry.agents.values()}
    models |= {model for agent in registry.agents.values() for model in agent.fallback_models}
    return [_line(registry, model) for model in sorted(models)]


def _line(registry: Registry, model: str) -> PriceLine:
    price = price_of(registry.prices, _provider(model), model)
    if price is None:
        return PriceLine(
            model=model,
            input_usd_per_mtok=None,
            output_usd_per_mtok=None,
            cache_read_usd_per_mtok=None,
            cache_write_usd_per_mtok=None,
            source="unknown",
            dated="–",
        )
    return PriceLine(
        model=model,
        input_usd_per_mtok=_per_mtok(price, Tokens(input_tokens=_TOKENS, output_tokens=0)),
        output_usd_per_mtok=_per_mtok(price, Tokens(input_tokens=0, output_tokens=_TOKENS)),
        cache_read_usd_per_mtok=_per_mtok(
            price, Tokens(input_tokens=_TOKENS, output_tokens=0, cache_read_tokens=_TOKENS)
        ),
        cache_write_usd_per_mtok=_per_mtok(
            price, Tokens(input_tokens=_TOKENS, output_tokens=0, cache_write_tokens=_TOKENS)
        ),
        source="registry.yaml" if isinstance(price, OwnPrice) else "genai-prices",
        dated=price.version,
    )


def _provider(model: str) -> str:
    """Who answers for ``model``; a provider that this release does not call has own prices only."""
    provider = model.partition(":")[0]
    return provider if provider in ELSEWHERE else provider_name(model)


def _per_mtok(price: ModelPrice, tokens: Tokens) -> Decimal:
    """Nano-USD per thousand tokens is USD per million, times a million."""
    return Decimal(price.cost_nano_usd(tokens)) / 10**6
