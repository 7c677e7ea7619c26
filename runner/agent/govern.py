"""Puts the gates of turns and tool calls into the agent loop, by the loop's public hooks and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent, Tool
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ModelRetry, RetryModelRequest
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import DeferredToolRequests, RunContext, ToolDefinition

from runner.agent.toolgate import ToolGate, ToolSaysRetry
from runner.agent.tools import Binding, bind, result_text
from runner.agent.turns import TurnGate
from runner.control.versions import Frozen

if TYPE_CHECKING:
    from pydantic_ai.capabilities.abstract import (
        RawToolArgs,
        ValidatedToolArgs,
        WrapToolExecuteHandler,
    )
    from pydantic_ai.models import Model, ModelRequestContext

# Answers with wrong arguments or unknown tools that are sent back before the run fails.
_RETRIES = 2

GovernedAgent = Agent[None, "str | DeferredToolRequests"]


class Governor(AbstractCapability[None]):
    """Both gates of one session, as the loop's hooks."""

    def __init__(self, turns: TurnGate, tools: ToolGate) -> None:
        self._turns = turns
        self._tools = tools

    async def prepare_model_request(
        self, ctx: RunContext[None], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """Before each attempt: hold its worst case and send the output bound that was held."""
        bound = await self._turns.hold(request_context.messages)
        settings = ModelSettings(**(request_context.model_settings or {}))
        settings["max_tokens"] = bound
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
        """After a failed attempt: settle, and try again while there are attempts left."""
        if await self._turns.fail(error):
            raise RetryModelRequest from error
        raise error

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
        return await self._tools.execute(call, args, handler)

    async def on_tool_execute_error(
        self,
        ctx: RunContext[None],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        error: Exception,
    ) -> object:
        """A tool that raises is a failed call, not a failed run."""
        raise await self._tools.fail(call, error) from error

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


def build_agent(frozen: Frozen, model: Model) -> Built:
    """The agent of a frozen version. Raises ToolUnusable when a tool function cannot be loaded."""
    tools = [
        _tool(bind(tool.name, tool.function), tool.description, is_alone=tool.effect != "read")
        for tool in frozen.tools
    ]
    agent = Agent(
        model,
        output_type=[str, DeferredToolRequests],
        instructions=frozen.instructions,
        tools=tools,
        retries=_RETRIES,
    )
    declared = [(tool.name, tool.description, tool.function_schema.json_schema) for tool in tools]
    return Built(agent=agent, tool_bytes=len(json.dumps(declared, ensure_ascii=False).encode()))


def _tool(binding: Binding, description: str, *, is_alone: bool) -> Tool[None]:
    async def call(**arguments: Any) -> str:  # whatever the tool's own hints say
        try:
            if inspect.iscoroutinefunction(binding.function):
                return result_text(await binding.function(**arguments))
            # Off the loop, and given up on a timeout even while its thread goes on.
            return result_text(await asyncio.to_thread(binding.function, **arguments))
        except ModelRetry as wish:
            raise ToolSaysRetry(wish.message) from wish

    return Tool.from_schema(
        call,
        name=binding.name,
        description=description or binding.description,
        json_schema=binding.json_schema(),
        # Effects happen one after the other, in the order in which the model asked for them.
        sequential=is_alone,
    )
