"""Models by registered name, ready to be called: one builder for each row of runner.control.providers.

SDK retries are off: each attempt is made, held and logged by the loop.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from runner.control.providers import check_model

if TYPE_CHECKING:
    from pydantic_ai.models import Model

# No byte for this long ends a request; how long one attempt may take in all is runner.agent.session.Pacing's.
SILENCE_TIMEOUT_S = 120.0


class Endpoint(NamedTuple):
    """A model ready to be called, how to close its connections, and whether its text comes in pieces."""

    model: Model
    close: Callable[[], Awaitable[None]]
    is_streaming: bool = True


def build_model(model: str) -> Endpoint:
    """The model behind a registered name. Raises ModelUnusable.

    Clients belong to one event loop: build one per loop, and close it there.
    """
    check_model(model)
    prefix, _, name = model.partition(":")
    return _BUILDERS[prefix](name)


async def _nothing() -> None:
    """Nothing to close."""


def _simulated(name: str) -> Endpoint:
    from runner.agent.simulated import simulated_model

    return Endpoint(simulated_model(name), _nothing, is_streaming=False)


def _openai_chat(name: str) -> Endpoint:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = AsyncOpenAI(max_retries=0, timeout=SILENCE_TIMEOUT_S)
    return Endpoint(OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client)), client.close)


def _openai_responses(name: str) -> Endpoint:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
    from pydantic_ai.providers.openai import OpenAIProvider

    client = AsyncOpenAI(max_retries=0, timeout=SILENCE_TIMEOUT_S)
    # The conversation is kept here; the provider need not keep it as well.
    settings = OpenAIResponsesModelSettings(openai_store=False)
    provider = OpenAIProvider(openai_client=client)
    return Endpoint(OpenAIResponsesModel(name, provider=provider, settings=settings), client.close)


def _anthropic(name: str) -> Endpoint:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(max_retries=0, timeout=SILENCE_TIMEOUT_S)
    return Endpoint(AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client)), client.close)


def _google(name: str) -> Endpoint:
    from google.genai.types import HttpRetryOptions
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    provider = GoogleProvider(
        base_url=os.environ.get("GOOGLE_GEMINI_BASE_URL"), retry_options=HttpRetryOptions(attempts=1)
    )
    model = GoogleModel(name, provider=provider, settings={"timeout": SILENCE_TIMEOUT_S})
    return Endpoint(model, provider.client.aio.aclose)


def _bedrock(name: str) -> Endpoint:
    import boto3
    from botocore.config import Config
    from pydantic_ai.models.bedrock import BedrockConverseModel
    from pydantic_ai.providers.bedrock import BedrockProvider

    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        read_timeout=SILENCE_TIMEOUT_S,
        connect_timeout=SILENCE_TIMEOUT_S,
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    client = boto3.client("bedrock-runtime", region_name=region, config=config)

    async def close() -> None:
        client.close()

    return Endpoint(BedrockConverseModel(name, provider=BedrockProvider(bedrock_client=client)), close)


_BUILDERS: Mapping[str, Callable[[str], Endpoint]] = MappingProxyType(
    {
        "sim": _simulated,
        "openai-chat": _openai_chat,
        "openai": _openai_responses,
        "anthropic": _anthropic,
        "google": _google,
        "bedrock": _bedrock,
    }
)
