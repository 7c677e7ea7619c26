"""The shape of a managed agent's session and its events: what is read of them, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Model(msgspec.Struct, frozen=True):
    """The model of an agent."""

    id: str = ""


class Agent(msgspec.Struct, frozen=True):
    """The agent of a session; ``model`` is an object or, in older recordings, the name alone."""

    name: str = ""
    model: Model | str = ""

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.model if isinstance(self.model, str) else self.model.id


class Session(msgspec.Struct, frozen=True):
    """The session as it was made."""

    id: str
    agent: Agent = Agent()


class ModelUsage(msgspec.Struct, frozen=True):
    """Tokens of one model request; cached tokens are counted beside the input."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None


class StopReason(msgspec.Struct, frozen=True):
    """Why the session is idle: end_turn, requires_action, retries_exhausted; and the calls that wait."""

    type: str
    event_ids: list[str] = []


class Block(msgspec.Struct, frozen=True):
    """One block of a content; other kinds than text have none."""

    text: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of the stream; which columns it has depends on its type."""

    type: str
    id: str | None = None
    processed_at: str | None = None
    agent_name: str | None = None
    name: str | None = None
    input: object = None
    content: list[Block] | str | None = None
    evaluated_permission: str | None = None
    tool_use_id: str | None = None
    mcp_tool_use_id: str | None = None
    custom_tool_use_id: str | None = None
    result: str | None = None
    deny_message: str | None = None
    is_error: bool | None = None
    model_request_start_id: str | None = None
    model_usage: ModelUsage | None = None
    stop_reason: StopReason | None = None

    @property
    def text(self) -> str:
        """The text of the content."""
        if isinstance(self.content, list):
            return "\n".join(block.text for block in self.content if block.text)
        return self.content or ""

    @property
    def call_id(self) -> str | None:
        """The call that a result or a confirmation belongs to."""
        return self.tool_use_id or self.mcp_tool_use_id or self.custom_tool_use_id


class Sent(msgspec.Struct, frozen=True):
    """What a client sent."""

    events: list[Event] = []


@dataclass(kw_only=True)
class SessionEvents:
    """The events of one session in order, each once."""

    first_line: int
    session: Session | None = None
    events: list[Event] = field(default_factory=list)
    sent: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _sent_to: str = ""
    _seen: set[str] = field(default_factory=set)

    @property
    def session_id(self) -> str:
        """The session's id; without one, that of its first event."""
        if self.session:
            return self.session.id
        return self._sent_to or next((event.id for event in self.events if event.id), "")

    def add(self, event: Event) -> None:
        """Add an event of the stream, unless its id was there."""
        if event.id is None or event.id not in self._seen:
            self.events.append(event)
            self._seen.add(event.id or "")

    def add_sent(self, sent: tuple[str, Sent]) -> None:
        """Remember what was sent, in case the stream ends before it repeats it."""
        self._sent_to, events = sent[0], sent[1].events
        self.sent += events
