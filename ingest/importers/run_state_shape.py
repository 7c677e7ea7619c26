"""The shape of a RunState snapshot of the OpenAI Agents SDK: what is read of it, and nothing else."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
MAJOR_VERSION = "1"


def is_supported(version: object) -> bool:
    """True for schema versions 1.0, 1.1, …; a later major version may mean something else by its words."""
    return isinstance(version, str) and version.partition(".")[0] == MAJOR_VERSION


class InputDetails(msgspec.Struct, frozen=True):
    """Kinds of input tokens."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class OutputDetails(msgspec.Struct, frozen=True):
    """Kinds of output tokens."""

    reasoning_tokens: Count | None = None


class TokenUsage(msgspec.Struct, frozen=True):
    """Tokens and the number of requests they were counted over."""

    requests: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count = 0
    input_tokens_details: list[InputDetails] = []
    output_tokens_details: list[OutputDetails] = []


class Part(msgspec.Struct, frozen=True):
    """One part of an answer."""

    text: str | None = None


class RawItem(msgspec.Struct, frozen=True):
    """An item of the Responses API: a message, a call, or the output of a call."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: object = None
    output: object = None
    content: list[Part] | str | None = None

    @property
    def text(self) -> str:
        """The text of a message."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class RunItem(msgspec.Struct, frozen=True):
    """An item as the SDK wraps it."""

    type: str = ""
    raw_item: RawItem | None = None
    tool_name: str | None = None

    @property
    def call_id(self) -> str | None:
        """The call that the item is about."""
        return (self.raw_item.call_id or self.raw_item.id) if self.raw_item else None


class ModelResponse(msgspec.Struct, frozen=True):
    """One answer of the model."""

    output: list[RawItem] = []
    response_id: str | None = None
    usage: TokenUsage | None = None


class Decision(msgspec.Struct, frozen=True):
    """Decisions on one tool: ids of calls, or true for all calls from then on."""

    approved: bool | list[str] = []
    rejected: bool | list[str] = []
    rejection_messages: dict[str, str] = {}
    sticky_rejection_message: str | None = None


class ToolIdentity(msgspec.Struct, frozen=True):
    """Which hosted tool a decision is about."""

    tool_name: str = "unnamed"


class DecisionEntry(msgspec.Struct, frozen=True):
    """Decisions on one tool in newer schemas."""

    decision: Decision
    tool_key: str | None = None
    identity: ToolIdentity | None = None


class Context(msgspec.Struct, frozen=True):
    """The part of the run's context that the SDK keeps; the customer's own context is not read."""

    approvals: dict[str, Decision] = {}
    function_tool_approvals: list[DecisionEntry] = []
    hosted_mcp_approvals: list[DecisionEntry] = []
    usage: TokenUsage | None = None


class Agent(msgspec.Struct, frozen=True):
    """The agent whose turn it is."""

    name: str


class StepData(msgspec.Struct, frozen=True):
    """What the run waits for."""

    interruptions: list[RunItem] = []


class Step(msgspec.Struct, frozen=True):
    """Where the run stands."""

    type: str = ""
    data: StepData | None = None


class Trace(msgspec.Struct, frozen=True):
    """The trace that the run belongs to."""

    id: str | None = None
    workflow_name: str | None = None


class RunState(msgspec.Struct, frozen=True):
    """One snapshot."""

    current_agent: Agent
    context: Context = Context()
    original_input: object = None
    model_responses: list[ModelResponse] = []
    generated_items: list[RunItem] = []
    current_step: Step | None = None
    conversation_id: str | None = None
    trace: Trace | None = None
