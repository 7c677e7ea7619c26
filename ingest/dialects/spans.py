"""One span or log record of any dialect as a :class:`MappedSpan`: the words of the contract, or nothing.

A raw span is one of those that the receiver stores in ``span_json`` (:mod:`ingest.dialects.stored`)::

    {"signal": "span"|"log", "trace_id": hex, "span_id": hex, "parent_span_id": hex, "name": …, "kind": n,
     "start_ns": n, "end_ns": n, "attributes": {…}, "events": [{"name", "time_ns", "attributes"}],
     "links": […], "status": {"code": n}, "resource": {…}, "scope": {"name", "version"}, "schema_url": …}

A log record has ``time_ns``, ``observed_ns``, ``severity`` and ``body`` instead of times, events and status.
An attribute whose value is null was there, and its text is kept apart (or nowhere).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ingest.dialects.aliases import FRAMEWORK_PROVIDERS, PROVIDER_RENAMES, aliases_of
from ingest.dialects.kinds import (
    DETAILS_EVENT,
    EVENT_DIALECTS,
    Kind,
    dialect_of,
    event_name_of,
    kind_of,
    kind_of_event,
)
from ingest.dialects.texts import TextName, event_attributes, message_texts, texts_of
from ingest.dialects.usage import Usage, usage_of
from ingest.dialects.values import (
    Attributes,
    Json,
    decimal_of,
    first,
    first_name,
    name_of,
    nano_usd_of,
    object_of,
    text_of,
    time_of,
)

STATUS_ERROR = 2  # OTLP Status.StatusCode
UNNAMED_ERROR = "_OTHER"  # OTel's word for an error without a class
MAX_DURATION_NS = 366 * 86_400 * 10**9
# Names that frameworks give to the span around a run: they name a function, not an agent.
_WRAPPER_NAME = re.compile(
    r"Agent workflow|AgentExecutor|LangGraph|RunnableSequence|invocation|agent run|agent"
)
_NAMED_RUN = re.compile(
    r"(?:invoke_agent|agent_run|agent) \[?(?P<name>[^\[\]]+)\]?|(?P<first>[\w-]+) run|(?P<plain>[\w -]+)"
)
_TOOL_SPAN = re.compile(r"(?:execute_tool|running tool:|tool:) (?P<name>.+)")
_UNSPECIFIED = frozenset({"<not specified>", "unknown_service"})


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedSpan:
    """A span in the words of the contract; None where its sender says nothing, or nothing possible."""

    signal: Literal["span", "log"]
    kind: Kind
    dialect: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    agent_name: str | None
    service_name: str | None
    provider_name: str | None
    requested_model: str | None
    served_model: str | None
    response_id: str | None
    conversation_id: str | None
    prompt_id: str | None
    person_id: str | None
    usage: Usage | None
    reported_cost_nano_usd: int | None
    finish_reason: str | None
    tool_name: str | None
    tool_call_id: str | None
    is_error: bool
    error_type: str | None
    start_ns: int | None
    end_ns: int | None
    texts: Mapping[TextName, str] = field(default_factory=dict)

    @property
    def duration_ns(self) -> int | None:
        """From start to end; None when either is unknown."""
        return None if self.start_ns is None or self.end_ns is None else self.end_ns - self.start_ns


def map_span(raw: Mapping[str, Json]) -> MappedSpan:
    """What a raw span means. Never raises for its content: what is malformed is unknown."""
    is_log = raw.get("signal") == "log"
    attributes, events = _attributes_of(raw, is_log)
    scope_name = text_of(object_of(raw.get("scope")).get("name")) or ""
    name = _log_name(raw, attributes, scope_name) if is_log else name_of(raw.get("name")) or ""
    dialect = dialect_of(attributes, scope_name, name)
    kind = kind_of_event(attributes, name) if is_log else kind_of(attributes, dialect, name, _names(events))
    start_ns, end_ns = _times(raw, attributes, is_log)
    is_error = _is_error(raw, attributes, name)
    usage = usage_of(attributes, dialect)
    return MappedSpan(
        signal="log" if is_log else "span",
        kind=kind,
        dialect=dialect,
        trace_id=_id(raw.get("trace_id")),
        span_id=_id(raw.get("span_id")),
        parent_span_id=_id(raw.get("parent_span_id")) or None,
        name=name,
        agent_name=_agent_name(attributes, kind, name),
        service_name=_specified(first_name(object_of(raw.get("resource")), "service_name")),
        provider_name=_provider(attributes, dialect),
        requested_model=_requested_model(attributes, dialect),
        served_model=_served_model(attributes, dialect),
        response_id=first_name(attributes, "response_id", dialect),
        conversation_id=first_name(attributes, "conversation_id", dialect),
        prompt_id=first_name(attributes, "prompt_id", dialect),
        person_id=first_name(attributes, "person_id", dialect),
        usage=usage,
        reported_cost_nano_usd=_cost(attributes, dialect),
        finish_reason=_finish_reason(attributes, dialect, [(name, attributes), *event_attributes(events)]),
        tool_name=_tool_name(attributes, dialect, name) if kind == "tool_call" else None,
        tool_call_id=_specified(first_name(attributes, "tool_call_id", dialect))
        if kind == "tool_call"
        else None,
        is_error=is_error,
        error_type=_error_type(attributes, events) if is_error else None,
        start_ns=start_ns,
        end_ns=end_ns,
        texts=message_texts(name, raw.get("body")) if is_log else texts_of(attributes, kind, dialect, events),
    )


def _attributes_of(raw: Mapping[str, Json], is_log: bool) -> tuple[Attributes, Sequence[Json]]:
    """The attributes that count: the span's own, then those of its details event, or of the log's body."""
    attributes = object_of(raw.get("attributes"))
    events = raw.get("events")
    if is_log:
        body = raw.get("body")
        return ({**body, **attributes} if isinstance(body, Mapping) else attributes), ()
    if not isinstance(events, Sequence) or isinstance(events, str):
        return attributes, ()
    for name, details in event_attributes(events):
        if name == DETAILS_EVENT:
            present = {key: value for key, value in attributes.items() if value is not None}
            attributes = {**details, **attributes, **present}
    return attributes, events


def _names(events: Sequence[Json]) -> frozenset[str]:
    return frozenset(name for name, _ in event_attributes(events))


def _log_name(raw: Mapping[str, Json], attributes: Attributes, scope_name: str) -> str:
    stated, attribute = name_of(raw.get("event_name")), name_of(attributes.get("event.name"))
    return event_name_of(stated or "", attribute or "", scope_name)


def _id(value: Json) -> str:
    return value.lower() if isinstance(value, str) and len(value) <= 64 else ""


def _specified(value: str | None) -> str | None:
    return None if value is None or value in _UNSPECIFIED or value.startswith("unknown_service:") else value


def _times(raw: Mapping[str, Json], attributes: Attributes, is_log: bool) -> tuple[int | None, int | None]:
    if is_log:
        end = time_of(raw.get("time_ns")) or time_of(raw.get("observed_ns"))
        milliseconds = decimal_of(attributes.get("duration_ms"))
        if end is None or milliseconds is None or milliseconds < 0:
            return end, end
        return time_of(end - int(milliseconds * 10**6)), end
    start, end = time_of(raw.get("start_ns")), time_of(raw.get("end_ns"))
    if start is not None and end is not None and not 0 <= end - start <= MAX_DURATION_NS:
        return start, None
    return start, end


def _agent_name(attributes: Attributes, kind: Kind, name: str) -> str | None:
    entity = attributes.get("traceloop.entity.name") if kind == "run" else None
    stated = name_of(entity) or first_name(attributes, "agent_name")
    if stated or kind != "run":
        return stated
    if _WRAPPER_NAME.fullmatch(name):
        return None
    match = _NAMED_RUN.fullmatch(name)
    if match is None:  # "Crew.kickoff", "ai.generateText": a function
        return None
    return next((group.strip() for group in match.groups() if group), None)


def _provider(attributes: Attributes, dialect: str) -> str | None:
    for alias in aliases_of("provider_name", dialect):
        stated = name_of(attributes.get(alias.name))
        provider = _renamed(stated) if stated else None
        if provider:
            return provider
    # LiteLLM's way of naming models: "<provider>/<model>".
    prefix, slash, _ = (first_name(attributes, "requested_model", dialect) or "").partition("/")
    return _renamed(prefix) if slash else None


def _renamed(provider: str) -> str | None:
    word = provider.strip().lower()
    if word in FRAMEWORK_PROVIDERS:
        return None
    known = PROVIDER_RENAMES.get(word)
    if known or not word:
        return known
    # The Vercel AI SDK adds the endpoint: "openai.responses", "anthropic.messages".
    maker, dot, _ = word.partition(".")
    return PROVIDER_RENAMES.get(maker, maker) if dot and maker not in _DOTTED_PROVIDERS else word


_DOTTED_PROVIDERS = frozenset({"azure", "gcp", "aws", "ibm"})


def _requested_model(attributes: Attributes, dialect: str) -> str | None:
    stated = first_name(attributes, "requested_model", dialect)
    if stated:
        return stated
    return name_of(object_of(attributes.get("llm.invocation_parameters")).get("model"))


def _served_model(attributes: Attributes, dialect: str) -> str | None:
    stated = first_name(attributes, "served_model", dialect)
    if stated:
        return stated
    return name_of(object_of(attributes.get("gcp.vertex.agent.llm_response")).get("model_version"))


def _finish_reason(
    attributes: Attributes, dialect: str, tellings: Iterable[tuple[str, Attributes]]
) -> str | None:
    stated = first_name(attributes, "finish_reason", dialect)
    if stated is None:  # message events (OTel GenAI before 1.37) say it under a plain name
        choices = (name_of(told.get("finish_reason")) for name, told in tellings if name == "gen_ai.choice")
        stated = next(choices, None)
    if stated and stated.startswith("["):  # a list that an exporter turned into text
        stated = stated.strip("[]").split(",")[0].strip(" \"'")
    return stated or None


def _cost(attributes: Attributes, dialect: str) -> int | None:
    total = nano_usd_of(first(attributes, "cost_usd", dialect))
    if total is not None:
        return total
    details = object_of(attributes.get("langfuse.observation.cost_details"))
    if details.get("total") is not None:
        return nano_usd_of(details.get("total"))
    parts = [
        nano_usd_of(value)
        for value in (
            first(attributes, "input_cost_usd", dialect),
            first(attributes, "output_cost_usd", dialect),
        )
    ]
    return None if parts == [None, None] else sum(part or 0 for part in parts)


def _tool_name(attributes: Attributes, dialect: str, name: str) -> str | None:
    stated = first_name(attributes, "tool_name", dialect)
    if stated:
        return stated
    entity = name_of(attributes.get("traceloop.entity.name"))
    if entity:
        return entity
    match = _TOOL_SPAN.fullmatch(name)
    return match["name"] if match else name or None


def _tool_call_id(attributes: Attributes, dialect: str) -> str | None:
    return _specified(first_name(attributes, "tool_call_id", dialect))


def _is_error(raw: Mapping[str, Json], attributes: Attributes, name: str) -> bool:
    if object_of(raw.get("status")).get("code") == STATUS_ERROR or attributes.get("error.type"):
        return True
    level = text_of(attributes.get("langfuse.observation.level"))
    if level:
        return level == "ERROR"
    return name == "claude_code.api_error" or (
        name.partition(".")[0] in EVENT_DIALECTS and text_of(attributes.get("success")) == "false"
    )


def _error_type(attributes: Attributes, events: Sequence[Json]) -> str:
    stated = first_name(attributes, "error_type")
    if stated:
        return stated
    for name, details in event_attributes(events):
        if name == "exception" and (raised := first_name(details, "error_type")):
            return raised
    return UNNAMED_ERROR
