"""Figures and names of foreign sources in the contract's own units: integers, never floats."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal

NANO = Decimal(1_000_000_000)
MILLION = Decimal(1_000_000)

# Plain model names belong to their makers; LiteLLM writes "<provider>/<model>".
PROVIDER_BY_FAMILY = {
    "gpt": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
    "gemini": "google",
}


def nano_usd(usd: float | None) -> int | None:
    """Nano-USD of a finite float in USD, through its shortest decimal form; None stays None."""
    return _scaled(usd, NANO)


def nanoseconds(seconds: float | None) -> int | None:
    """Nanoseconds of a finite float in seconds, through its shortest decimal form; None stays None."""
    return _scaled(seconds, NANO)


def millionths(score: float | None) -> int | None:
    """Millionths of a finite score; None stays None."""
    return _scaled(score, MILLION)


def _scaled(number: float | None, factor: Decimal) -> int | None:
    if number is None:
        return None
    return int((Decimal(repr(number)) * factor).to_integral_value(ROUND_HALF_EVEN))


def is_cache_inside(
    *, input_tokens: int | None, output_tokens: int | None, cached_tokens: int, total_tokens: int | None
) -> bool | None:
    """Whether cached tokens are counted inside the input: sources differ, the stated total says which it is.

    None when nothing was cached or no total is stated.
    """
    if not cached_tokens or total_tokens is None:
        return None
    return total_tokens < (input_tokens or 0) + (output_tokens or 0) + cached_tokens


def provider_of(model: str) -> str:
    """Provider of a LiteLLM model name: its prefix, else the maker of the family, else ``unknown``."""
    provider, slash, _ = model.partition("/")
    if slash:
        return provider.lower()
    family = re.split(r"[-.:_]", model.lower())[0]
    return PROVIDER_BY_FAMILY.get(family, "unknown")


def is_unicode(text: str) -> bool:
    """False for text with half a surrogate pair, which no UTF-8 can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
