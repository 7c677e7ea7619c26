"""Models by registered name: ``sim:<scenario>`` and ``openai-chat:<model>`` for any compatible endpoint.

SDK retries are off: each attempt is made, held and logged by the loop.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from runner.agent.scenarios import SCENARIOS
from runner.control.declared import nearest
from runner.errors import ModelUnusable

if TYPE_CHECKING:
    from pydantic_ai.models import Model

# One attempt may take this long; a hold lives longer (runner.control.wallet.HOLD_LIFETIME).
ATTEMPT_TIMEOUT_S = 120.0
_OPENAI_HOST = "api.openai.com"
# Agents on these may be declared, so that the inventory is whole, though they run elsewhere.
DECLARABLE_PROVIDERS = ("openai", "anthropic", "google", "bedrock", "azure", "ollama", "mistral", "groq")


def provider_name(model: str) -> str:
    """Who answers for ``model``: ``sim``, ``openai``, or ``openai-compatible`` for an endpoint elsewhere.

    Raises ModelUnusable for a provider that this release does not know.
    """
    prefix = model.partition(":")[0]
    if prefix == "sim":
        return "sim"
    if prefix == "openai-chat":
        host = urlsplit(os.environ.get("OPENAI_BASE_URL") or f"https://{_OPENAI_HOST}/v1").hostname
        return "openai" if host == _OPENAI_HOST else "openai-compatible"
    if prefix in DECLARABLE_PROVIDERS:
        raise ModelUnusable(
            model,
            f"this release does not call provider {prefix!r} itself",
            "Declare it as openai-chat:<model> with an OpenAI-compatible endpoint, or as sim:<scenario>.",
        )
    close = nearest(prefix, ["sim", "openai-chat", *DECLARABLE_PROVIDERS])
    hint = f"The nearest one is {close!r}." if close else "Use sim:<scenario> or openai-chat:<model>."
    raise ModelUnusable(model, f"provider {prefix!r} is not known", hint)


def check_model(model: str) -> None:
    """Raise ModelUnusable when ``model`` cannot be called from here: unknown scenario, or no key."""
    name = model.partition(":")[2]
    if provider_name(model) == "sim":
        if name not in SCENARIOS:
            close = nearest(name, list(SCENARIOS))
            hint = f"the nearest one is {close!r}" if close else f"there are: {', '.join(sorted(SCENARIOS))}"
            raise ModelUnusable(model, f"there is no scenario {name!r}", f"{hint.capitalize()}.")
    elif not os.environ.get("OPENAI_API_KEY"):
        raise ModelUnusable(
            model,
            "OPENAI_API_KEY is not set",
            "Set it (a local server takes any word), and OPENAI_BASE_URL for another endpoint than OpenAI's.",
        )


class Endpoint(NamedTuple):
    """A model ready to be called, and how to close its connections."""

    model: Model
    close: Callable[[], Awaitable[None]]


async def _nothing() -> None:
    """The simulated model has no connections."""


def build_model(model: str) -> Endpoint:
    """The model behind a registered name. Raises ModelUnusable.

    Clients belong to one event loop: build one per loop, and close it there.
    """
    check_model(model)
    name = model.partition(":")[2]
    if provider_name(model) == "sim":
        from runner.agent.simulated import simulated_model

        return Endpoint(simulated_model(name), _nothing)
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = AsyncOpenAI(max_retries=0, timeout=ATTEMPT_TIMEOUT_S)
    return Endpoint(OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client)), client.close)
