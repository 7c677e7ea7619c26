"""The alias table: under which names other people's spans carry what we count, newest name first.

The first name that is present wins, also with the value 0. ``source`` says who writes the name; "read in
source" means that project's own code or schema was read, the wire payloads of the tests show the rest.
A rename by a convention is one new row here; the next build repairs all history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# Stored on every mapped row: which state of this table gave the row its meaning.
MAPPING_VERSION = "2026-11-23.1"

Field: TypeAlias = Literal[
    "agent_name",
    "service_name",
    "provider_name",
    "requested_model",
    "served_model",
    "response_id",
    "conversation_id",
    "prompt_id",
    "person_id",
    "finish_reason",
    "error_type",
    "tool_name",
    "tool_call_id",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "cost_usd",
    "input_cost_usd",
    "output_cost_usd",
    "input",
    "output",
    "instructions",
    "arguments",
    "result",
]


@dataclass(frozen=True, slots=True)
class Alias:
    """One name of one field.

    ``is_beside``: the count is not inside input_tokens or output_tokens but comes on top of them.
    ``only``: the name is too plain to be trusted elsewhere, it counts in spans of this dialect.
    """

    field: Field
    name: str
    source: str
    is_beside: bool = False
    only: str = ""


_OTEL = "OTel GenAI, semantic-conventions-genai (read in source)"
_OTEL_OLD = "OTel GenAI before 1.37"
_OTEL_127 = "OTel GenAI before 1.27; OpenLLMetry; Vercel AI SDK 3-4"
_OPENINFERENCE = "OpenInference semantic conventions (read in source)"
_TRACELOOP = "OpenLLMetry semconv_ai (read in source)"
_TRACELOOP_OLD = "OpenLLMetry before 0.4"
_VERCEL = "Vercel AI SDK 3-6"
_LANGFUSE = "Langfuse OTel attributes (read in source)"
_LANGSMITH = "LangSmith OTel exporter"
_PYDANTIC = "Pydantic AI"
_ADK = "Google ADK (read in source)"
_ANY_AGENT = "any-agent"
_ANTHROPIC = "flat Anthropic names: LiteLLM, OpenLLMetry"
_CLAUDE_CODE = "Claude Code spans and events: Langfuse's tests, the documentation, version 2.1.330"
_CODEX = "Codex CLI log events (codex-rs/otel, read in source)"
_GEMINI_CLI = "Gemini CLI log events (docs/cli/telemetry.md)"

# fmt: off
# One row per line: a table, read by comparing rows.
ALIASES: tuple[Alias, ...] = (
    Alias("agent_name", "gen_ai.agent.name", _OTEL),
    Alias("agent_name", "agent.name", _OPENINFERENCE),
    Alias("agent_name", "agent_name", _PYDANTIC),
    Alias("agent_name", "gen_ai.workflow.name", _OTEL),
    Alias("agent_name", "traceloop.workflow.name", _TRACELOOP),
    Alias("agent_name", "ai.telemetry.functionId", _VERCEL),
    Alias("service_name", "service.name", "OTel resource"),
    Alias("provider_name", "gen_ai.provider.name", _OTEL),
    Alias("provider_name", "gen_ai.system", _OTEL_OLD),
    Alias("provider_name", "llm.provider", _OPENINFERENCE),
    Alias("provider_name", "llm.system", _OPENINFERENCE),
    Alias("provider_name", "ai.model.provider", _VERCEL),
    Alias("requested_model", "gen_ai.request.model", _OTEL),
    Alias("requested_model", "llm.request.model_name", _OPENINFERENCE),
    Alias("requested_model", "llm.request.model", _TRACELOOP_OLD),
    Alias("requested_model", "ai.model.id", _VERCEL),
    Alias("requested_model", "embedding.model_name", _OPENINFERENCE),
    Alias("requested_model", "langfuse.observation.model.name", _LANGFUSE),
    Alias("requested_model", "model_name", _PYDANTIC),
    Alias("requested_model", "langsmith.metadata.ls_model_name", _LANGSMITH),
    Alias("requested_model", "model", _CLAUDE_CODE, only="claude_code"),
    Alias("requested_model", "model", _CODEX, only="codex"),
    Alias("served_model", "gen_ai.response.model", _OTEL),
    Alias("served_model", "llm.response.model_name", _OPENINFERENCE),
    Alias("served_model", "llm.model_name", _OPENINFERENCE),
    Alias("served_model", "llm.response.model", _TRACELOOP_OLD),
    Alias("served_model", "ai.response.model", _VERCEL),
    Alias("response_id", "gen_ai.response.id", _OTEL),
    Alias("response_id", "ai.response.id", _VERCEL),
    Alias("response_id", "request_id", _CLAUDE_CODE, only="claude_code"),
    Alias("conversation_id", "gen_ai.conversation.id", _OTEL),
    Alias("conversation_id", "session.id", _OPENINFERENCE),
    Alias("conversation_id", "langfuse.session.id", _LANGFUSE),
    Alias("conversation_id", "gcp.vertex.agent.session_id", _ADK),
    Alias("conversation_id", "traceloop.association.properties.session_id", _TRACELOOP),
    Alias("conversation_id", "traceloop.association.properties.thread_id", _TRACELOOP),
    Alias("conversation_id", "ai.telemetry.metadata.sessionId", _VERCEL),
    Alias("conversation_id", "langsmith.metadata.session_id", _LANGSMITH),
    Alias("conversation_id", "langsmith.metadata.thread_id", _LANGSMITH),
    Alias("conversation_id", "conversation.id", _CODEX, only="codex"),
    Alias("prompt_id", "prompt.id", _CLAUDE_CODE, only="claude_code"),
    Alias("person_id", "user.id", _OPENINFERENCE),
    Alias("person_id", "enduser.id", "OTel general attributes"),
    Alias("person_id", "langfuse.user.id", _LANGFUSE),
    Alias("person_id", "traceloop.association.properties.user_id", _TRACELOOP),
    Alias("person_id", "ai.telemetry.metadata.userId", _VERCEL),
    Alias("person_id", "llm.user", _TRACELOOP),
    Alias("person_id", "user.account_id", _CODEX, only="codex"),
    Alias("finish_reason", "gen_ai.response.finish_reasons", _OTEL),
    Alias("finish_reason", "llm.finish_reason", _OPENINFERENCE),
    Alias("finish_reason", "llm.response.finish_reason", _TRACELOOP),
    Alias("finish_reason", "ai.response.finishReason", _VERCEL),
    Alias("finish_reason", "gen_ai.finishReason", "Vercel AI SDK before 4"),
    Alias("finish_reason", "stop_reason", _CLAUDE_CODE, only="claude_code"),
    Alias("error_type", "error.type", "OTel general attributes, stable"),
    Alias("error_type", "exception.type", "OTel exception events, stable"),
    Alias("tool_name", "gen_ai.tool.name", _OTEL),
    Alias("tool_name", "tool.name", _OPENINFERENCE),
    Alias("tool_name", "ai.toolCall.name", _VERCEL),
    Alias("tool_name", "tool_name", _CLAUDE_CODE, only="claude_code"),
    Alias("tool_name", "tool_name", _CODEX, only="codex"),
    Alias("tool_name", "function_name", _GEMINI_CLI, only="gemini_cli"),
    Alias("tool_call_id", "gen_ai.tool.call.id", _OTEL),
    Alias("tool_call_id", "ai.toolCall.id", _VERCEL),
    Alias("tool_call_id", "tool.id", _OPENINFERENCE),
    Alias("tool_call_id", "tool_call.id", _OPENINFERENCE),
    Alias("tool_call_id", "tool_use_id", _CLAUDE_CODE, only="claude_code"),
    Alias("tool_call_id", "call_id", _CODEX, only="codex"),
    # Tokens. Cached tokens are inside the input and reasoning is inside the output, unless marked.
    Alias("input_tokens", "gen_ai.usage.input_tokens", _OTEL),
    Alias("input_tokens", "gen_ai.usage.prompt_tokens", _OTEL_127),
    Alias("input_tokens", "llm.token_count.prompt", _OPENINFERENCE),
    Alias("input_tokens", "llm.usage.prompt_tokens", _TRACELOOP_OLD),
    Alias("input_tokens", "ai.usage.inputTokens", _VERCEL),
    Alias("input_tokens", "ai.usage.promptTokens", _VERCEL),
    Alias("input_tokens", "input_tokens", _CLAUDE_CODE, only="claude_code"),
    Alias("input_tokens", "input_token_count", _CODEX, only="codex"),
    Alias("cache_read_tokens", "gen_ai.usage.cache_read.input_tokens", _OTEL),
    Alias("cache_read_tokens", "gen_ai.usage.cache_read_input_tokens", _ANTHROPIC),
    Alias("cache_read_tokens", "gen_ai.usage.input_cached_tokens", _LANGFUSE),
    Alias("cache_read_tokens", "gen_ai.usage.details.cache_read_tokens", _PYDANTIC),
    Alias("cache_read_tokens", "gen_ai.usage.details.cache_read_input_tokens", _PYDANTIC),
    Alias("cache_read_tokens", "llm.token_count.prompt_details.cache_read", _OPENINFERENCE),
    Alias("cache_read_tokens", "llm.token_count.prompt_details.cache_input", _OPENINFERENCE),
    Alias("cache_read_tokens", "llm.usage.cache_read_input_tokens", _TRACELOOP_OLD),
    Alias("cache_read_tokens", "ai.usage.inputTokenDetails.cacheReadTokens", _VERCEL),
    Alias("cache_read_tokens", "ai.usage.cachedInputTokens", _VERCEL),
    Alias("cache_read_tokens", "cache_read_tokens", _CLAUDE_CODE, is_beside=True, only="claude_code"),
    Alias("cache_read_tokens", "cached_token_count", _CODEX, only="codex"),
    Alias("cache_write_tokens", "gen_ai.usage.cache_creation.input_tokens", _OTEL),
    Alias("cache_write_tokens", "gen_ai.usage.cache_creation_input_tokens", _ANTHROPIC),
    Alias("cache_write_tokens", "gen_ai.usage.input_cache_creation", _LANGFUSE),
    Alias("cache_write_tokens", "gen_ai.usage.details.cache_write_tokens", _PYDANTIC),
    Alias("cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens", _PYDANTIC),
    Alias("cache_write_tokens", "llm.token_count.prompt_details.cache_write", _OPENINFERENCE),
    Alias("cache_write_tokens", "llm.usage.cache_creation_input_tokens", _TRACELOOP_OLD),
    Alias("cache_write_tokens", "ai.usage.inputTokenDetails.cacheWriteTokens", _VERCEL),
    Alias("cache_write_tokens", "cache_creation_tokens", _CLAUDE_CODE, is_beside=True, only="claude_code"),
    Alias("output_tokens", "gen_ai.usage.output_tokens", _OTEL),
    Alias("output_tokens", "gen_ai.usage.completion_tokens", _OTEL_127),
    Alias("output_tokens", "llm.token_count.completion", _OPENINFERENCE),
    Alias("output_tokens", "llm.usage.completion_tokens", _TRACELOOP_OLD),
    Alias("output_tokens", "ai.usage.outputTokens", _VERCEL),
    Alias("output_tokens", "ai.usage.completionTokens", _VERCEL),
    Alias("output_tokens", "output_tokens", _CLAUDE_CODE, only="claude_code"),
    Alias("output_tokens", "output_token_count", _CODEX, only="codex"),
    Alias("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", _OTEL),
    Alias("reasoning_tokens", "gen_ai.usage.reasoning_tokens", "OpenLLMetry"),
    Alias("reasoning_tokens", "gen_ai.usage.completion_details.reasoning", _LANGFUSE),
    Alias("reasoning_tokens", "gen_ai.usage.details.reasoning_tokens", _PYDANTIC),
    Alias("reasoning_tokens", "llm.token_count.completion_details.reasoning", _OPENINFERENCE),
    Alias("reasoning_tokens", "llm.usage.reasoning_tokens", _TRACELOOP_OLD),
    Alias("reasoning_tokens", "ai.usage.outputTokenDetails.reasoningTokens", _VERCEL),
    Alias("reasoning_tokens", "ai.usage.reasoningTokens", _VERCEL),
    Alias("reasoning_tokens", "reasoning_token_count", _CODEX, only="codex"),
    Alias("audio_output_tokens", "gen_ai.usage.audio.output_tokens", _OTEL),
    Alias("audio_output_tokens", "llm.token_count.completion_details.audio", _OPENINFERENCE),
    # Money, as the source states it, in USD.
    Alias("cost_usd", "gen_ai.usage.cost", "OpenLIT, Langfuse"),
    Alias("cost_usd", "llm.cost.total", _OPENINFERENCE),
    Alias("cost_usd", "operation.cost", _PYDANTIC),
    Alias("cost_usd", "gen_ai.cost.total_cost", "LiteLLM"),
    Alias("cost_usd", "cost_usd", _CLAUDE_CODE, only="claude_code"),
    Alias("input_cost_usd", "gen_ai.usage.input_cost", _ANY_AGENT),
    Alias("input_cost_usd", "llm.cost.prompt", _OPENINFERENCE),
    Alias("output_cost_usd", "gen_ai.usage.output_cost", _ANY_AGENT),
    Alias("output_cost_usd", "llm.cost.completion", _OPENINFERENCE),
    # Texts. Every name here is content: kept apart from the log, hashed or dropped by the token's rule.
    Alias("input", "gen_ai.input.messages", _OTEL),
    Alias("input", "gen_ai.prompt", _OTEL_127),
    Alias("input", "pydantic_ai.all_messages", _PYDANTIC),
    Alias("input", "all_messages_events", _PYDANTIC),
    Alias("input", "langfuse.observation.input", _LANGFUSE),
    Alias("input", "llm.input_messages", _OPENINFERENCE),
    Alias("input", "ai.prompt.messages", _VERCEL),
    Alias("input", "ai.prompt", _VERCEL),
    Alias("input", "gcp.vertex.agent.llm_request", _ADK),
    Alias("input", "input.value", _OPENINFERENCE),
    Alias("input", "traceloop.entity.input", _TRACELOOP),
    Alias("input", "ai.value", _VERCEL),
    Alias("input", "prompt", _CLAUDE_CODE, only="claude_code"),
    Alias("input", "request_text", _GEMINI_CLI, only="gemini_cli"),
    Alias("output", "gen_ai.output.messages", _OTEL),
    Alias("output", "gen_ai.completion", _OTEL_127),
    Alias("output", "final_result", _PYDANTIC),
    Alias("output", "langfuse.observation.output", _LANGFUSE),
    Alias("output", "llm.output_messages", _OPENINFERENCE),
    Alias("output", "ai.response.text", _VERCEL),
    Alias("output", "ai.response.object", _VERCEL),
    Alias("output", "ai.response.toolCalls", _VERCEL),
    Alias("output", "gen_ai.output", _ANY_AGENT),
    Alias("output", "gcp.vertex.agent.llm_response", _ADK),
    Alias("output", "output.value", _OPENINFERENCE),
    Alias("output", "traceloop.entity.output", _TRACELOOP),
    Alias("output", "response_text", _GEMINI_CLI, only="gemini_cli"),
    Alias("instructions", "gen_ai.system_instructions", _OTEL),
    Alias("arguments", "gen_ai.tool.call.arguments", _OTEL),
    Alias("arguments", "tool_arguments", _PYDANTIC),
    Alias("arguments", "gen_ai.tool.args", _ANY_AGENT),
    Alias("arguments", "gcp.vertex.agent.tool_call_args", _ADK),
    Alias("arguments", "ai.toolCall.args", _VERCEL),
    Alias("arguments", "langfuse.observation.input", _LANGFUSE),
    Alias("arguments", "input.value", _OPENINFERENCE),
    Alias("arguments", "tool.parameters", _OPENINFERENCE),
    Alias("arguments", "traceloop.entity.input", _TRACELOOP),
    Alias("arguments", "tool_parameters", _CLAUDE_CODE, only="claude_code"),
    Alias("arguments", "arguments", _CODEX, only="codex"),
    Alias("arguments", "function_args", _GEMINI_CLI, only="gemini_cli"),
    Alias("result", "gen_ai.tool.call.result", _OTEL),
    Alias("result", "tool_response", _PYDANTIC),
    Alias("result", "gcp.vertex.agent.tool_response", _ADK),
    Alias("result", "ai.toolCall.result", _VERCEL),
    Alias("result", "langfuse.observation.output", _LANGFUSE),
    Alias("result", "gen_ai.output", _ANY_AGENT),
    Alias("result", "output.value", _OPENINFERENCE),
    Alias("result", "traceloop.entity.output", _TRACELOOP),
    Alias("result", "output", _CODEX, only="codex"),
)
# fmt: on


CONTENT_FIELDS: frozenset[Field] = frozenset({"input", "output", "instructions", "arguments", "result"})
CONDITIONAL_DIALECTS: frozenset[str] = frozenset(alias.only for alias in ALIASES if alias.only)


def _by_field(dialect: str) -> dict[Field, tuple[Alias, ...]]:
    table: dict[Field, tuple[Alias, ...]] = {}
    for alias in ALIASES:
        if alias.only in ("", dialect):
            table[alias.field] = (*table.get(alias.field, ()), alias)
    return table


_TABLES: dict[str, dict[Field, tuple[Alias, ...]]] = {
    dialect: _by_field(dialect) for dialect in ("", *CONDITIONAL_DIALECTS)
}


_NAMES: dict[str, dict[Field, tuple[str, ...]]] = {
    dialect: {field: tuple(alias.name for alias in rows) for field, rows in table.items()}
    for dialect, table in _TABLES.items()
}


def names_of(field: Field, dialect: str) -> tuple[str, ...]:
    """The names of ``field`` that count in a span of ``dialect``, newest first."""
    return _NAMES.get(dialect, _NAMES[""]).get(field, ())


def aliases_of(field: Field, dialect: str) -> tuple[Alias, ...]:
    """The rows of ``field`` that count in a span of ``dialect``, newest name first."""
    return _TABLES.get(dialect, _TABLES[""]).get(field, ())


# Providers under former names (OTel 1.27-1.37), model makers' and cloud names; lower-cased first.
PROVIDER_RENAMES: dict[str, str] = {
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "xai": "x_ai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
}
# Frameworks that put their own name where the provider belongs: they say nothing about the provider.
FRAMEWORK_PROVIDERS: frozenset[str] = frozenset(
    {
        "langchain",
        "langgraph",
        "crewai",
        "gcp.vertex.agent",
        "microsoft.agent_framework",
        "autogen",
        "unknown",
    }
)
