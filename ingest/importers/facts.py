"""What importers know about a foreign run, in the contract's words and units; None is always unknown."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass

import msgspec

from ingest.importers.times import Moment

# What msgspec raises for a value of another shape, and for text with half a surrogate pair.
SHAPE_ERRORS = (msgspec.ValidationError, UnicodeEncodeError)


class MalformedError(Exception):
    """A run that cannot be taken in; the text says why. The format turns it into a reject."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a foreign run is. Where the source gives no time ``started`` is None and ``carried_at`` is used."""

    format_name: str
    run_id: str
    source_run_id: str
    source_file: str
    source_agent: str
    carried_at: dt.datetime
    started: Moment | None = None
    source_task_id: str | None = None
    source_domain: str = ""
    model: str = ""
    provider: str | None = None
    conversation_id: str | None = None
    parent_run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one model call, or of a run; None is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    is_cache_in_input: bool | None = None


NO_USAGE = Usage()


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One model call. ``edition`` differs where a growing source states the same call again."""

    text: str | None = None
    requested_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    model: str | None = None
    served_model: str | None = None
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    duration_ns: int | None = None
    finish_reason: str | None = None
    error_type: str | None = None
    edition: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a tool call ended; ``outcome`` and ``error_class`` are words of the contract."""

    outcome: str
    text: str | None = None
    error_class: str | None = None
    error_type: str | None = None
    duration_ns: int | None = None
    approval_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An approval as a source tells it; ``decision`` None means that it waits."""

    part: str
    tool_name: str | None = None
    call_index: int | None = None
    decision: str | None = None
    source_decision: str | None = None
    decider_kind: str | None = None
    person_id: str | None = None
    approval_rule: str | None = None
    arguments_digest: str | None = None
    approved_digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A verdict on the run: of its source, a user, a judge, a reviewer."""

    kind: str
    name: str | None = None
    is_good: bool | None = None
    score_micro: int | None = None
    reason: str | None = None
    person_id: str | None = None
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What the source's record adds up to; None is unknown. ``unstated`` are words of ``unstated_counts``."""

    user_messages: int | None = None
    assistant_messages: int | None = None
    tool_results: int | None = None
    turns: int | None = None
    total_tokens: int | None = None
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    unstated: tuple[str, ...] = ()
    edition: str = ""


def json_text(value: object) -> str:
    """Canonical JSON of decoded JSON: sorted keys, compact enough to read."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def arguments_digest(arguments: object) -> str:
    """SHA256 of the canonical JSON of a call's arguments, in hex; of the text itself where it is no JSON."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return hashlib.sha256(str(arguments).encode("utf-8", "backslashreplace")).hexdigest()
    return hashlib.sha256(json_text(arguments).encode("utf-8", "backslashreplace")).hexdigest()


def content_id(format_name: str, *parts: object) -> str:
    """A run id where the source has none: the format and a digest of what makes the run that run."""
    text = "\x1f".join(part if isinstance(part, str) else json_text(part) for part in parts)
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{format_name}-{digest[:32]}"
