"""Answers that arrive in pieces: told while they come, returned whole, and no answer when they broke off."""

from __future__ import annotations

from collections.abc import Callable

from pydantic_ai.exceptions import ModelConnectionError
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings


class Told(WrapperModel):
    """A model whose text goes to ``tell`` while it arrives.

    To the agent loop it is a model that answers at once, so that every gate of a turn holds for it as for
    any other; usage is asked for in the stream.
    """

    def __init__(self, wrapped: Model, tell: Callable[[str], None]) -> None:
        super().__init__(wrapped)
        self._tell = tell

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer. Raises ModelConnectionError when the stream ends before the answer does."""
        asked = self.wrapped.request_stream(messages, model_settings, model_request_parameters)
        async with asked as stream:
            async for event in stream:
                if text := _text(event):
                    self._tell(text)
            response = stream.get()
        if response.finish_reason is None and response.usage.unmeasured_requests:
            # A connection that is closed without an end looks like an end.
            raise ModelConnectionError(
                self.model_name, "the stream ended before the answer did", phase="read", in_stream=True
            )
        return response


def _text(event: ModelResponseStreamEvent) -> str:
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""
