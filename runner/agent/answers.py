"""Answers of models: what one cost, which calls it asks for, and which of them can never be executed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pydantic_ai.messages import ModelResponse, ModelResponsePart, ToolCallPart

from runner.agent.chain import Link
from runner.agent.session import Session
from runner.agent.tools import InvalidArguments
from runner.control.approvals import needs_person
from runner.control.journal import Call, End
from runner.control.prices import Tokens
from runner.control.purses import Purse


@dataclass(frozen=True, kw_only=True)
class Held:
    """One attempt in flight: at which model, what was held for it, and where."""

    link: Link
    purses: tuple[Purse, ...]
    amount_nano_usd: int
    attempt: int
    output_tokens: int
    begun_ns: int


@dataclass(frozen=True, kw_only=True)
class Billed:
    """What an attempt cost: charged to the wallets, and the list cost, None when that is unknown."""

    charged_nano_usd: int
    list_nano_usd: int | None
    tokens: Tokens | None = None


def bill(response: ModelResponse, held: Held) -> Billed:
    """What an answered attempt cost; an answer without usage is charged at its hold, its cost unknown."""
    usage, price = response.usage, held.link.price
    if usage.unmeasured_requests or not usage.has_values():
        return Billed(charged_nano_usd=held.amount_nano_usd, list_nano_usd=None)
    tokens = Tokens(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    if price is None:
        return Billed(charged_nano_usd=0, list_nano_usd=None, tokens=tokens)
    cost = price.cost_nano_usd(tokens)
    return Billed(charged_nano_usd=cost, list_nano_usd=cost, tokens=tokens)


def journal_entry(session: Session, place: int, part: ToolCallPart) -> tuple[Call, End | None]:
    """The journal entry of a requested call, and its end when it can never be executed."""
    tool = session.frozen.tool(part.tool_name)
    call = Call(
        call_index=session.tool_call_count + place,
        turn_index=session.turn_count,
        tool_call_id=part.tool_call_id,
        tool_name=part.tool_name,
        tool_effect=tool.effect if tool else None,
        arguments=part.args_as_json_str(),
        arguments_digest=None,
    )
    if tool is None:
        names = ", ".join(known.name for known in session.frozen.tools) or "none"
        text = f"There is no tool {part.tool_name}. Tools of this agent: {names}."
        return call, End(outcome="refused", result=text, refusal_rule="unknown-tool")
    checked = session.binding(tool).check(part.args)
    if isinstance(checked, InvalidArguments):
        end = End(
            outcome="failed",
            result=checked.problem,
            error_class="invalid_args",
            error_type="ValidationError",
        )
        return call, end
    return replace(call, arguments=checked.canonical, arguments_digest=checked.digest), None


def asks_person(session: Session, call: Call) -> bool | None:
    """Whether the version's rule has a person decide the call; None without a rule, or without arguments."""
    tool = session.frozen.tool(call.tool_name)
    if tool is None or tool.approval is None or call.arguments_digest is None:
        return None
    return needs_person(tool.approval, json.loads(call.arguments))


def with_unique_ids(response: ModelResponse) -> ModelResponse:
    """Some servers give parallel calls one id, or none; results are matched by id, so they are told apart."""
    seen: set[str] = set()
    parts: list[ModelResponsePart] = []
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            call_id, again = part.tool_call_id, 1
            while part.tool_call_id in seen:
                again += 1
                part = replace(part, tool_call_id=f"{call_id}#{again}")
            seen.add(part.tool_call_id)
        parts.append(part)
    return replace(response, parts=parts)
