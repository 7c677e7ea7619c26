"""The embedded simulated model: plays a scenario, needs no key and no network, and counts its tokens.

Token counts come from the length of the real text (four characters a token, rounded up), so that cost, holds
and wallets behave as with a model that is paid for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from runner.agent.scenarios import SCENARIOS
from runner.agent.script import Case, Reply, Return, Scenario

_CHARACTERS_PER_TOKEN = 4


def simulated_model(name: str) -> FunctionModel:
    """The model that plays scenario ``name``. Raises KeyError for an unknown one."""
    scenario = SCENARIOS[name]

    async def play(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return _respond(scenario, messages, info)

    return FunctionModel(play, model_name=f"sim:{name}")


def _respond(scenario: Scenario, messages: Sequence[ModelMessage], info: AgentInfo) -> ModelResponse:
    reply = scenario(_case(messages))
    turn = sum(isinstance(message, ModelResponse) for message in messages)
    limit = (info.model_settings or {}).get("max_tokens") or 1_000_000
    parts, written, is_cut = _parts(reply, turn, limit)
    read = "".join(_texts(messages)) + (info.instructions or "")
    tools = sum(len(tool.name) + len(tool.description or "") for tool in info.function_tools)
    usage = RequestUsage(input_tokens=_tokens(len(read) + tools), output_tokens=written)
    return ModelResponse(parts=parts, usage=usage, finish_reason=_finish(reply, is_cut))


def _finish(reply: Reply, is_cut: bool) -> FinishReason:
    if is_cut:
        return "length"
    return "tool_call" if reply.calls else "stop"


def _parts(reply: Reply, turn: int, limit: int) -> tuple[list[ModelResponsePart], int, bool]:
    """Parts, output tokens, and whether the text was cut at ``limit`` tokens, as a real model's would be."""
    text = reply.text
    if _tokens(len(text)) > limit:
        return [TextPart(text[: limit * _CHARACTERS_PER_TOKEN])], limit, True
    parts: list[ModelResponsePart] = [TextPart(text)]
    size = len(text)
    for place, call in enumerate(reply.calls):
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
        parts.append(ToolCallPart(call.tool, arguments, tool_call_id=f"call_{turn}_{place}"))
        size += len(call.tool) + len(arguments)
    return parts, min(_tokens(size), limit), False


def _case(messages: Sequence[ModelMessage]) -> Case:
    task = ""
    returns: list[Return] = []
    for message in messages:
        if not isinstance(message, ModelRequest):
            continue
        for part in message.parts:
            if isinstance(part, UserPromptPart) and isinstance(part.content, str):
                task = task or part.content
            elif isinstance(part, ToolReturnPart):
                returns.append(Return(tool=part.tool_name, outcome=part.outcome, content=part.content))
    return Case(task=task, returns=tuple(returns))


def _texts(messages: Sequence[ModelMessage]) -> list[str]:
    texts: list[str] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolReturnPart):
                texts.append(part.model_response_str())
            elif isinstance(part, ToolCallPart):
                texts += [part.tool_name, part.args_as_json_str()]
            elif isinstance(part, TextPart | UserPromptPart):
                texts.append(str(part.content))
    return texts


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_PER_TOKEN)
