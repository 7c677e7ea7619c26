"""The most input tokens that a model call can be billed for, before it is made.

A token is at least one byte, so the bytes of what is sent bound the first call; for English that is about
four times too high. From the second call on, what the model itself counted for the conversation so far stands
in for those bytes, and only what came after it is bounded by its own (docs/decisions/0014-input-bound.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_core import to_json

from runner.agent.chain import Link
from runner.control.prices import Tokens

# Chat framing costs a few tokens per part that are not in its text.
_FRAME_TOKENS = 16


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """What a model counted for the first ``message_count`` messages, and what its answer had."""

    link: Link
    message_count: int
    input_tokens: int
    output_tokens: int


class InputBound:
    """The bound for one conversation; ``fixed_bytes`` are instructions and tools, sent with every call."""

    def __init__(self, fixed_bytes: int) -> None:
        self._fixed_bytes = fixed_bytes
        self._counted: _Counted | None = None
        self._is_full_count = True

    def tokens(self, messages: Sequence[ModelMessage], link: Link) -> int:
        """Upper bound of input tokens when the model of ``link`` is sent ``messages``."""
        counted = self._counted
        if counted is None or counted.link is not link or len(messages) <= counted.message_count:
            return self._fixed_bytes + _most_tokens(messages)
        # Hidden reasoning may be sent back: the answer counts by its tokens and by its bytes.
        rest = _most_tokens(messages[counted.message_count :])
        return counted.input_tokens + counted.output_tokens + rest

    def learn(self, messages: Sequence[ModelMessage], link: Link, tokens: Tokens | None) -> None:
        """Take in what the model of ``link`` reported for a call with ``messages``; None is nothing.

        A conversation only grows. A model that counts less than before does not count all of it (cached
        tokens left out), and is not believed again.
        """
        before = self._counted
        if tokens is None or tokens.input_tokens <= 0:
            self._counted = None
            return
        if before is not None and before.link is link and tokens.input_tokens < before.input_tokens:
            self._is_full_count = False
        counted = _Counted(
            link=link,
            message_count=len(messages),
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
        )
        self._counted = counted if self._is_full_count else None


def _most_tokens(messages: Sequence[ModelMessage]) -> int:
    return sum(_most_of_part(part) for message in messages for part in message.parts)


def _most_of_part(part: ModelRequestPart | ModelResponsePart) -> int:
    """Bytes of what the model gets to see of a part, escaped as JSON: templates may quote it once more."""
    if isinstance(part, ToolCallPart):
        seen = [part.tool_name, part.tool_call_id, part.args_as_json_str()]
    elif isinstance(part, ToolReturnPart):
        seen = [part.tool_name, part.tool_call_id, part.model_response_str()]
    elif isinstance(part, TextPart | SystemPromptPart) or (
        isinstance(part, UserPromptPart) and isinstance(part.content, str)
    ):
        seen = [str(part.content)]
    else:
        # Whatever else there is (thinking with its signature, a retry, files): all of it, as it is stored.
        return _FRAME_TOKENS + len(to_json(part))
    return _FRAME_TOKENS + sum(len(json.dumps(text)) for text in seen)
