"""The shape of a tau2 result file: what is read of it, and nothing else.

Source: sierra-research/tau2-bench, ``data_model/simulation.py`` and ``data_model/message.py``. A result file
is ``{timestamp, info, tasks, simulations[]}``. Of ``info`` only three words are read: it also holds the
settings of the model client, API keys among them.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Usd: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=9e6)]  # 9 million USD are 2^53 nano-USD
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Side: TypeAlias = Literal["assistant", "user"]


class ToolCall(msgspec.Struct, frozen=True):
    """A tool call inside a message; ``id`` is not unique within a run."""

    name: Name
    id: str | None = None
    arguments: object = None
    requestor: Side | None = None


class Usage(msgspec.Struct, frozen=True):
    """Token counts of one model call."""

    prompt_tokens: Count
    completion_tokens: Count


class RawData(msgspec.Struct, frozen=True):
    """The provider's answer, of which only the finish reason is read."""

    finish_reason: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One line of the conversation. ``error`` is false when absent: that is its default in tau2."""

    role: Literal["system", "assistant", "user", "tool"]
    content: str | None = None
    tool_calls: list[ToolCall] | None = None
    id: str | None = None
    requestor: Side | None = None
    error: bool = False
    timestamp: str | None = None
    cost: Usd | None = None
    usage: Usage | None = None
    raw_data: RawData | None = None


class RewardInfo(msgspec.Struct, frozen=True):
    """The verdict; 1.0 is success."""

    reward: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class Simulation(msgspec.Struct, frozen=True):
    """One run: an agent talking with a simulated user."""

    id: Name
    start_time: Name
    termination_reason: Name
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    task_id: str | int | None = None
    end_time: str | None = None
    duration: Annotated[float, msgspec.Meta(ge=0, le=9e6)] | None = None  # 9 million s are 2^53 ns
    agent_cost: Usd | None = None
    user_cost: Usd | None = None
    reward_info: RewardInfo | None = None


class AgentInfo(msgspec.Struct, frozen=True):
    """Who ran: the agent's implementation and its model."""

    implementation: Name
    llm: str | None = None


class EnvironmentInfo(msgspec.Struct, frozen=True):
    """The domain the agent worked in."""

    domain_name: str = ""


class Header(msgspec.Struct, frozen=True):
    """The three words read of ``info``."""

    agent_info: AgentInfo
    environment_info: EnvironmentInfo = EnvironmentInfo()
