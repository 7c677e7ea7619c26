"""The shape of a Claude Code transcript line: what is read of it, and nothing else.

Two writers share it: session files (``sessionId``, ``uuid``, ``timestamp``) and the message stream of the
Claude Agent SDK (``session_id``, a closing ``result`` line, no times).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Usd: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=9e6)]


class Usage(msgspec.Struct, frozen=True):
    """Tokens of a message; cached ones are counted beside the input. Every line of a message repeats them."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None


class Block(msgspec.Struct, frozen=True):
    """One block of a content: text, tool_use or tool_result."""

    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: object = None
    tool_use_id: str | None = None
    content: object = None
    is_error: bool | None = None


class Message(msgspec.Struct, frozen=True):
    """The message of a line."""

    role: str | None = None
    content: list[Block] | str | None = None
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None

    @property
    def blocks(self) -> list[Block]:
        """The content as blocks."""
        if isinstance(self.content, str):
            return [Block(type="text", text=self.content)]
        return self.content or []

    @property
    def text(self) -> str:
        """The text blocks together."""
        return "\n".join(block.text for block in self.blocks if block.type == "text" and block.text)


class Line(msgspec.Struct, frozen=True, rename={"session_id_of_file": "sessionId"}):
    """One line of a transcript."""

    type: str
    session_id_of_file: str | None = None
    session_id: str | None = None
    uuid: str | None = None
    timestamp: str | None = None
    message: Message | None = None
    slug: str | None = None
    subtype: str | None = None
    is_sidechain: bool = msgspec.field(default=False, name="isSidechain")
    is_meta: bool = msgspec.field(default=False, name="isMeta")
    is_compact_summary: bool = msgspec.field(default=False, name="isCompactSummary")
    is_api_error: bool = msgspec.field(default=False, name="isApiErrorMessage")
    agent_id: str | None = msgspec.field(default=None, name="agentId")
    tool_use_result: object = msgspec.field(default=None, name="toolUseResult")
    cost_usd: Usd | None = msgspec.field(default=None, name="costUSD")
    total_cost_usd: Usd | None = None
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=9e9)] | None = None
    is_error: bool | None = None

    @property
    def session(self) -> str | None:
        """The session that the line belongs to."""
        return self.session_id_of_file or self.session_id


def text_of(content: object) -> str:
    """The text of a tool result: text, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""
