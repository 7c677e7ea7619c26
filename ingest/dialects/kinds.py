"""Kinds: whether a span is a run, a model turn, a tool call or a retrieval, and which dialect it speaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from ingest.dialects.values import Attributes, text_of

Kind: TypeAlias = Literal["run", "turn", "tool_call", "retrieval", "other"]

# Words of each convention. A word that is not here (CHAIN, task, span) leaves it to the next rule.
OPERATIONS: dict[str, Kind] = {  # gen_ai.operation.name
    "chat": "turn",
    "generate_content": "turn",
    "text_completion": "turn",
    "completion": "turn",
    "generate": "turn",
    "call_llm": "turn",  # any-agent
    "responses": "turn",
    "embeddings": "retrieval",
    "retrieval": "retrieval",
    "rerank": "retrieval",
    "invoke_agent": "run",
    "invoke_workflow": "run",
    "execute_tool": "tool_call",
    "create_agent": "other",
    "plan": "other",
}
LANGFUSE_TYPES: dict[str, Kind] = {  # langfuse.observation.type; "span" and "chain" say nothing
    "generation": "turn",
    "agent": "run",
    "tool": "tool_call",
    "retriever": "retrieval",
    "embedding": "retrieval",
    "event": "other",
    "guardrail": "other",
    "evaluator": "other",
}
OPENINFERENCE_KINDS: dict[str, Kind] = {  # openinference.span.kind
    "LLM": "turn",
    "AGENT": "run",
    "TOOL": "tool_call",
    "RETRIEVER": "retrieval",
    "RERANKER": "retrieval",
    "EMBEDDING": "retrieval",
    "GUARDRAIL": "other",
    "EVALUATOR": "other",
}
TRACELOOP_KINDS: dict[str, Kind] = {"workflow": "run", "agent": "run", "tool": "tool_call"}
TRACELOOP_REQUESTS: dict[str, Kind] = {
    "chat": "turn",
    "completion": "turn",
    "embedding": "retrieval",
    "rerank": "retrieval",
}
LANGSMITH_KINDS: dict[str, Kind] = {"llm": "turn", "tool": "tool_call", "retriever": "retrieval"}
CLAUDE_CODE_TYPES: dict[str, Kind] = {
    "interaction": "run",
    "llm_request": "turn",
    "tool": "tool_call",
}
# Log events of coding agents that tell of whole calls. Gemini CLI tells of its model calls in the event of
# OTel GenAI beside its own gemini_cli.api_response: the former counts.
CALL_EVENTS: dict[str, Kind] = {
    "claude_code.api_request": "turn",
    "claude_code.api_error": "turn",
    "claude_code.tool_result": "tool_call",
    "codex.tool_result": "tool_call",
    "gemini_cli.tool_call": "tool_call",
}
# Codex tells of each piece of a stream by this event; the last one has the usage of the call.
_CODEX_STREAM, _CODEX_USAGE = "codex.sse_event", "input_token_count"
# ai.operationId: "ai.generateText" is the whole loop, "ai.generateText.doGenerate" one model call of it.
VERCEL_OPERATIONS: tuple[tuple[str, Kind], ...] = (
    ("ai.generateText.doGenerate", "turn"),
    ("ai.streamText.doStream", "turn"),
    ("ai.generateObject.doGenerate", "turn"),
    ("ai.streamObject.doStream", "turn"),
    ("ai.embedMany.doEmbed", "retrieval"),
    ("ai.embed.doEmbed", "retrieval"),
    ("ai.toolCall", "tool_call"),
    ("ai.generateText", "run"),
    ("ai.streamText", "run"),
    ("ai.generateObject", "run"),
    ("ai.streamObject", "run"),
)
_MODEL_MARKS = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
_PYDANTIC_RUN_MARKS = ("pydantic_ai.all_messages", "all_messages_events", "final_result")
MESSAGE_EVENTS: frozenset[str] = frozenset(
    {
        "gen_ai.system.message",
        "gen_ai.user.message",
        "gen_ai.assistant.message",
        "gen_ai.tool.message",
        "gen_ai.choice",
    }
)
_SOURCE_LINE = re.compile(r"event .+:\d+")
DETAILS_EVENT = "gen_ai.client.inference.operation.details"

_CLAUDE_CODE_SCOPE = "com.anthropic.claude_code"
_DIALECT_MARKS: tuple[tuple[str, str], ...] = (
    ("openinference.span.kind", "openinference"),
    ("langsmith.span.kind", "langsmith"),
    ("traceloop.span.kind", "traceloop"),
    ("llm.request.type", "traceloop"),
    ("ai.operationId", "vercel"),
    ("gcp.vertex.agent.event_id", "google_adk"),
    ("gen_ai.provider.name", "otel_genai"),
    ("gen_ai.system", "otel_genai_old"),
    ("langfuse.observation.type", "langfuse"),
)
# Coding agents put their name before that of each event.
EVENT_DIALECTS: tuple[str, ...] = ("claude_code", "codex", "gemini_cli")
_EVENT_PREFIXES = tuple(f"{dialect}." for dialect in EVENT_DIALECTS)
_SCOPE_DIALECTS: tuple[tuple[str, str], ...] = (
    ("openinference.", "openinference"),
    ("opentelemetry.instrumentation.", "otel_genai"),
    ("langfuse", "langfuse"),
    ("langsmith", "langsmith"),
    ("gcp.vertex.agent", "google_adk"),
    ("pydantic-ai", "pydantic_ai"),
)


def dialect_of(attributes: Attributes, scope_name: str, span_name: str) -> str:
    """The dialect a span speaks, by its marks; ``unknown`` when it bears none."""
    if scope_name.startswith(_CLAUDE_CODE_SCOPE):
        return "claude_code"
    if span_name.startswith(_EVENT_PREFIXES):
        return span_name.partition(".")[0]
    for name, dialect in _DIALECT_MARKS:
        if attributes.get(name) is not None:
            return dialect
    for prefix, dialect in _SCOPE_DIALECTS:
        if scope_name.startswith(prefix):
            return dialect
    return "otel_genai" if any(name.startswith("gen_ai.") for name in attributes) else "unknown"


def kind_of(attributes: Attributes, dialect: str, span_name: str, event_names: frozenset[str]) -> Kind:
    """The kind of a span, by the first convention that says something about it."""
    for rule in _RULES:
        kind = rule(attributes, dialect, span_name)
        if kind is not None:
            return kind
    if any(attributes.get(name) is not None for name in _MODEL_MARKS):
        return "turn"
    return "turn" if event_names & MESSAGE_EVENTS or DETAILS_EVENT in event_names else "other"


def event_name_of(stated: str, attribute: str, scope_name: str) -> str:
    """The name of a log event: ``stated`` in the record, or its attribute ``event.name`` (before OTel 1.7).

    Rust's tracing states the line of source there. Claude Code leaves its own name out of the attribute.
    """
    name = attribute if attribute and (not stated or _SOURCE_LINE.match(stated)) else stated
    if name and scope_name.startswith(_CLAUDE_CODE_SCOPE) and not name.startswith("claude_code."):
        return f"claude_code.{name}"
    return name


def _word(table: Mapping[str, Kind], value: str | None) -> Kind | None:
    return table.get(value) if value else None


def _by_langfuse(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    return _word(LANGFUSE_TYPES, text_of(attributes.get("langfuse.observation.type")))


def _by_openinference(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    return _word(OPENINFERENCE_KINDS, text_of(attributes.get("openinference.span.kind")))


def _by_claude_code(attributes: Attributes, dialect: str, name: str) -> Kind | None:
    if dialect != "claude_code":
        return None
    return _word(CLAUDE_CODE_TYPES, text_of(attributes.get("span.type"))) or CALL_EVENTS.get(name) or "other"


def kind_of_event(attributes: Attributes, name: str) -> Kind:
    """The kind of a log record: only events that tell of a whole call are calls."""
    if name == DETAILS_EVENT or (name == _CODEX_STREAM and attributes.get(_CODEX_USAGE) is not None):
        return "turn"
    return CALL_EVENTS.get(name, "other")


def _by_operation(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    kind = _word(OPERATIONS, text_of(attributes.get("gen_ai.operation.name")))
    # Google ADK repeats parallel calls in one span of this name; the calls have spans of their own.
    if kind == "tool_call" and attributes.get("gen_ai.tool.name") == "(merged tools)":
        return "other"
    return kind


def _by_traceloop(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    return _word(TRACELOOP_KINDS, text_of(attributes.get("traceloop.span.kind"))) or _word(
        TRACELOOP_REQUESTS, text_of(attributes.get("llm.request.type"))
    )


def _by_vercel(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    # operation.name may carry a function id behind the operation.
    operation = text_of(attributes.get("ai.operationId")) or text_of(attributes.get("operation.name"))
    if not operation or not operation.startswith("ai."):
        return None
    word = operation.split(" ", 1)[0]
    return next((kind for prefix, kind in VERCEL_OPERATIONS if word == prefix), None)


def _by_langsmith(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    return _word(LANGSMITH_KINDS, text_of(attributes.get("langsmith.span.kind")))


def _by_tool_name(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    names = ("gen_ai.tool.name", "gen_ai.tool.call.id")
    return "tool_call" if any(attributes.get(name) for name in names) else None


def _by_agent_marks(attributes: Attributes, _dialect: str, _name: str) -> Kind | None:
    """Agent spans of Pydantic AI carry no operation name."""
    if not (attributes.get("gen_ai.agent.name") or attributes.get("agent_name")):
        return None
    return "run" if any(name in attributes for name in _PYDANTIC_RUN_MARKS) else None


_RULES: tuple[Callable[[Attributes, str, str], Kind | None], ...] = (
    _by_claude_code,
    _by_langfuse,
    _by_openinference,
    _by_operation,
    _by_traceloop,
    _by_vercel,
    _by_langsmith,
    _by_tool_name,
    _by_agent_marks,
)
