"""Puts the gates of turns and tool calls into the agent loop, by the loop's public hooks and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent, Tool
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ModelRetry, RetryModelRequest
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import DeferredToolRequests, RunContext, ToolDefinition

from runner.agent.failures import as_run_error
from runner.agent.toolgate import ToolGate
from runner.agent.tools import ArgumentCheck
from runner.agent.turns import TurnGate
from runner.control.versions import Frozen, FrozenTool

if TYPE_CHECKING:
    from pydantic_ai.capabilities.abstract import RawToolArgs, ValidatedToolArgs, WrapToolExecuteHandler
    from pydantic_ai.models import ModelRequestContext

# Answers with wrong arguments or unknown tools that are sent back before the run fails.
_RETRIES = 2

GovernedAgent = Agent[None, "str | DeferredToolRequests"]


class Governor(AbstractCapability[None]):
    """Both gates of one session, as the loop's hooks."""

    def __init__(self, turns: TurnGate, tools: ToolGate) -> None:
        self._turns = turns
        self._tools = tools

    async def before_model_request(
        self, ctx: RunContext[None], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """Before each turn: the model of the chain that is tried now."""
        return replace(request_context, model=await self._turns.model())

    async def prepare_model_request(
        self, ctx: RunContext[None], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """Before each attempt: hold its worst case and send the output bound that was held."""
        bound = await self._turns.hold(request_context.messages)
        settings = ModelSettings(**(request_context.model_settings or {}))
        settings["max_tokens"] = bound
        settings["request_timeout"] = self._turns.attempt_timeout_s
        request_context.model_settings = settings
        return request_context

    async def after_model_request(
        self, ctx: RunContext[None], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        """After an answer: settle, journal its calls, checkpoint."""
        settled = await self._turns.settle(ctx.messages, response)
        self._tools.adopt(settled.calls)
        return settled.response

    async def on_model_request_error(
        self, ctx: RunContext[None], *, request_context: ModelRequestContext, error: Exception
    ) -> ModelResponse:
        """After a failed attempt: settle, and try again, or the next model, while there are attempts left."""
        named = as_run_error(error)
        model = await self._turns.fail(named)
        if model is not None:
            raise RetryModelRequest(model) from error
        raise named

    async def after_tool_validate(
        self,
        ctx: RunContext[None],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
    ) -> ValidatedToolArgs:
        """The one check of arguments, the same that approvals are bound to."""
        return self._tools.check(call, args)

    async def wrap_tool_execute(
        self,
        ctx: RunContext[None],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> object:
        """The one way to execute a tool."""
        return await self._tools.execute(call, args)

    async def on_tool_validate_error(
        self,
        ctx: RunContext[None],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: RawToolArgs,
        error: Exception,
    ) -> ValidatedToolArgs:
        """Arguments that are no JSON object: the model is told, as for any other wrong argument."""
        raise ModelRetry(f"Arguments of {call.tool_name} are no JSON object.") from error


@dataclass(frozen=True, kw_only=True)
class Built:
    """The agent of one version, and the bytes of its tool declarations, which go with every request."""

    agent: GovernedAgent
    tool_bytes: int
    bindings: Mapping[str, ArgumentCheck]


def build_agent(frozen: Frozen, bindings: Mapping[str, ArgumentCheck]) -> Built:
    """The agent of a frozen version with its tools by name; each run brings its model."""
    tools = [_tool(tool, bindings[tool.name]) for tool in frozen.offered]
    agent = Agent(
        output_type=[str, DeferredToolRequests],
        instructions=frozen.instructions,
        tools=tools,
        retries=_RETRIES,
    )
    declared = [(tool.name, tool.description, tool.function_schema.json_schema) for tool in tools]
    size = len(json.dumps(declared, ensure_ascii=False).encode())
    return Built(agent=agent, tool_bytes=size, bindings=bindings)


def _tool(tool: FrozenTool, binding: ArgumentCheck) -> Tool[None]:
    async def never(**arguments: Any) -> str:  # whatever the tool's own hints say
        raise AssertionError(f"{tool.name} was called past its gate")

    return Tool.from_schema(
        never,
        name=tool.name,
        description=_described(tool, binding),
        json_schema=binding.json_schema(),
        # Effects happen one after the other, in the order in which the model asked for them.
        sequential=tool.effect != "read",
    )


def _described(tool: FrozenTool, binding: ArgumentCheck) -> str:
    """The declared description of a function or a server's tool, else its own."""
    is_declared = tool.home in ("python", "mcp") and tool.description
    return tool.description if is_declared else binding.description
