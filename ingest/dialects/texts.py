"""Texts of a span: messages, arguments and results, wherever a dialect keeps them.

Also says which attributes are content at all: the receiver keeps those apart from the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

from ingest.dialects.aliases import ALIASES, CONTENT_FIELDS, Field, aliases_of
from ingest.dialects.kinds import DETAILS_EVENT, MESSAGE_EVENTS, Kind
from ingest.dialects.values import Attributes, Json

TextName: TypeAlias = Literal["input", "output", "instructions", "arguments", "result"]

# A text longer than this under a name that we do not know is content; ids, names and models are shorter.
MAX_STRUCTURE_CHARACTERS = 256
# Content under names that no field is read from.
_OTHER_CONTENT: frozenset[str] = frozenset(
    {
        "gen_ai.tool.definitions",
        "gen_ai.evaluation.explanation",
        "annotation.explanation",
        "annotation.metadata",
        "evaluation.explanation",
        "evaluation.metadata",
        "gen_ai.retrieval.documents",
        "gen_ai.retrieval.query.text",
        "ai.prompt.tools",
        "ai.response.reasoning",
        "ai.embedding",
        "ai.embeddings",
        "ai.values",
        "exception.message",
        "exception.stacktrace",
        "langfuse.trace.input",
        "langfuse.trace.output",
        "langfuse.observation.status_message",
        "model_request_parameters",
        "error",
        "error.message",
        "message",
        "content",
        "tool_calls",
        "db.query.text",
        "db.statement",
        "url.query",
        "http.request.body",
        "http.response.body",
        # Claude Code, where its settings let texts out
        "user_prompt",
        "prompt_text",
        "user_system_prompt",
        "system_prompt_preview",
        "new_context",
        "response",
        "response.model_output",
        "full_command",
        "bash_command",
        "file_path",
        "tool_input",
        "tool_output",
        "crew_agents",
        "crew_tasks",
        "crew_inputs",
    }
)
_CONTENT_PREFIXES: tuple[str, ...] = (
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.choices.",
    "llm.prompt_template.",
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "retrieval.documents.",
    "reranker.",
    "embedding.embeddings.",
    "llm.tools.",
    "metadata.",
)
# LiteLLM puts members of the raw request and answer under ``llm.<provider>.``: of these the texts.
_RAW_TEXT = re.compile(
    r"llm\.(?!(?:token_count|cost|usage|request|response)\.)\w+\."
    r"(?:messages|choices|prompt|input|output|content|contents|candidates|system|instructions|tools|functions)"
)
# Long, but structure: usage and settings that are read from them.
STRUCTURE_NAMES: frozenset[str] = frozenset(
    {
        "ai.response.providerMetadata",
        "langfuse.observation.usage_details",
        "langfuse.observation.cost_details",
        "llm.invocation_parameters",
    }
)
# Texts that hold structure in their members; these stay when the rest is kept apart.
STRUCTURE_MEMBERS: dict[str, tuple[str, ...]] = {
    "gcp.vertex.agent.llm_response": ("usage_metadata", "model_version", "finish_reason"),
}
_CONTENT_NAMES: frozenset[str] = _OTHER_CONTENT | frozenset(
    alias.name for alias in ALIASES if alias.field in CONTENT_FIELDS
)
# Fields whose texts are flattened into one attribute per part: "llm.input_messages.0.message.content".
_FLATTENED: dict[str, TextName] = {
    "llm.input_messages": "input",
    "llm.output_messages": "output",
    "gen_ai.prompt": "input",
    "gen_ai.completion": "output",
}
_FLATTENED_PREFIXES = tuple(f"{name}." for name in _FLATTENED)
_TURN_TEXTS: tuple[TextName, ...] = ("input", "output", "instructions")
_CALL_TEXTS: tuple[TextName, ...] = ("arguments", "result")


@lru_cache(maxsize=8192)
def is_content(name: str) -> bool:
    """Whether an attribute of this ``name`` holds what people, models or tools wrote."""
    if name in _CONTENT_NAMES or name.startswith(_CONTENT_PREFIXES):
        return True
    return _RAW_TEXT.fullmatch(name) is not None


@lru_cache(maxsize=8192)
def is_flattened(name: str) -> bool:
    """Whether an attribute of this ``name`` is one of many parts of a text."""
    return name.startswith(_CONTENT_PREFIXES)


def texts_of(attributes: Attributes, kind: Kind, dialect: str, events: Sequence[Json]) -> dict[TextName, str]:
    """The texts of a span by their names; a name is missing where the source gives no text."""
    found: dict[TextName, str] = {}
    for field in _CALL_TEXTS if kind == "tool_call" else _TURN_TEXTS:
        text = _first_text(attributes, field, dialect)
        if text is not None:
            found[field] = text
    if kind != "tool_call" and ("input" not in found or "output" not in found):
        for name, text in (_flattened(attributes) | _from_events(events)).items():
            found.setdefault(name, text)
    return found


def message_texts(event_name: str, body: Json) -> dict[TextName, str]:
    """The text of one message event (a log record of OTel GenAI before 1.37)."""
    if event_name not in MESSAGE_EVENTS or body is None:
        return {}
    name: TextName = "output" if event_name == "gen_ai.choice" else "input"
    return {name: _json({event_name: body})}


def _first_text(attributes: Attributes, field: Field, dialect: str) -> str | None:
    for alias in aliases_of(field, dialect):
        value = attributes.get(alias.name)
        if value is not None and value != "":
            return value if isinstance(value, str) else _json(value)
    return None


def _flattened(attributes: Attributes) -> dict[TextName, str]:
    parts: dict[TextName, dict[str, Json]] = {}
    for name, value in attributes.items():
        if value is not None and name.startswith(_FLATTENED_PREFIXES):
            field = next(field for prefix, field in _FLATTENED.items() if name.startswith(f"{prefix}."))
            parts.setdefault(field, {})[name] = value
    return {field: _json(dict(sorted(group.items(), key=_place))) for field, group in parts.items()}


def _place(item: tuple[str, Json]) -> list[tuple[int, int, str]]:
    """Order of flattened parts: numbers in a name by value, so that message 10 comes after message 9."""
    return [
        (0, int(part), "") if part.isdecimal() and len(part) < 12 else (1, 0, part)
        for part in item[0].split(".")
    ]


def _from_events(events: Sequence[Json]) -> dict[TextName, str]:
    """Texts in span events: one event with everything (since 1.37), or one event per message."""
    messages: dict[TextName, list[Json]] = {}
    found: dict[TextName, str] = {}
    for name, attributes in event_attributes(events):
        if name == DETAILS_EVENT:
            for field in _TURN_TEXTS:
                text = _first_text(attributes, field, "")
                if text is not None:
                    found.setdefault(field, text)
        elif name in MESSAGE_EVENTS and any(value is not None for value in attributes.values()):
            field = "output" if name == "gen_ai.choice" else "input"
            messages.setdefault(field, []).append({name: attributes})
    return {field: _json(rows) for field, rows in messages.items()} | found


def event_attributes(events: Iterable[Json]) -> Iterator[tuple[str, Attributes]]:
    """Name and attributes of each well-formed event of a span."""
    for event in events:
        if isinstance(event, Mapping) and isinstance(name := event.get("name"), str):
            attributes = event.get("attributes")
            yield name, attributes if isinstance(attributes, Mapping) else {}


def _json(value: Json) -> str:
    return msgspec.json.encode(value).decode()
