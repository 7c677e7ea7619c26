"""The shape of an OpenAI-compatible exchange in a log: a request and its response, by their usual names."""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeAlias

import msgspec

from ingest.importers.facts import json_text

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Usd: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=9e6)]
Time: TypeAlias = str | float


class Function(msgspec.Struct, frozen=True):
    """The called function; ``arguments`` is JSON text."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    arguments: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    """A call that the model asks for."""

    function: Function
    id: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One message; ``content`` is text or a list of parts."""

    role: str
    content: object = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str | None:
        """The text of the content."""
        if isinstance(self.content, list):
            parts = [part.get("text") for part in self.content if isinstance(part, dict)]
            return "\n".join(part for part in parts if isinstance(part, str))
        return self.content if isinstance(self.content, str) else None


class PromptDetails(msgspec.Struct, frozen=True):
    """Kinds of prompt tokens."""

    cached_tokens: Count | None = None


class CompletionDetails(msgspec.Struct, frozen=True):
    """Kinds of completion tokens."""

    reasoning_tokens: Count | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens; cached and reasoning tokens are inside. ``cost`` is what some gateways add, in USD."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    cost: Usd | None = None


class Choice(msgspec.Struct, frozen=True):
    """One answer."""

    message: Message
    finish_reason: str | None = None


class Response(msgspec.Struct, frozen=True):
    """A ``chat.completion`` object; ``created`` is in seconds since 1970."""

    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[Choice] = []
    usage: Usage | None = None


class Request(msgspec.Struct, frozen=True):
    """The body of a chat completion request."""

    messages: list[Message]
    model: str = ""


class ErrorBody(msgspec.Struct, frozen=True):
    """What an API returns instead of an answer."""

    type: str | None = None
    code: str | int | None = None


class Exchange(msgspec.Struct, frozen=True):
    """One line of a log. Durations carry their unit in their name; a bare ``latency`` is not read."""

    request: Request
    response: Response | None = None
    error: ErrorBody | str | None = None
    timestamp: Time | None = None
    created_at: Time | None = None
    started_at: Time | None = None
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=9e9)] | None = None
    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=9e9)] | None = None
    cost_usd: Usd | None = None
    conversation_id: str | None = None
    session_id: str | None = None
    agent: str | None = None

    @property
    def time(self) -> Time | None:
        """When the request was sent, as stated."""
        return next(
            (one for one in (self.started_at, self.timestamp, self.created_at) if one is not None), None
        )

    @property
    def conversation(self) -> str | None:
        """The conversation that the exchange names."""
        return self.conversation_id or self.session_id

    @property
    def answer(self) -> Choice | None:
        """The first choice."""
        return self.response.choices[0] if self.response and self.response.choices else None


def chain(head: str, message: Message) -> str:
    """Digest of a conversation that goes on with ``message``: equal for equal conversations."""
    calls = [(one.id, one.function.name, one.function.arguments) for one in message.tool_calls or ()]
    words = json_text([head, message.role, message.text, calls, message.tool_call_id])
    return hashlib.sha256(words.encode("utf-8", "backslashreplace")).hexdigest()
