"""Token counts by one rule: five buckets that do not overlap, whatever the source counts inside what.

uncached input · cache read · cache write · output without reasoning · reasoning. A bucket that no source
names is None, never 0. Where the numbers contradict the convention of the name (more cached tokens than
input tokens), the source counts them beside the input: the numbers win over the name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingest.dialects.aliases import Field, aliases_of
from ingest.dialects.values import Attributes, Json, count_of, object_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one model call in buckets that do not overlap; None where the source says nothing."""

    input_tokens: int | None = None  # neither read from the cache nor written to it
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None  # the part of cache_write_tokens with a lifetime of one hour
    output_tokens: int | None = None  # without reasoning and audio
    reasoning_tokens: int | None = None
    audio_output_tokens: int | None = None

    @property
    def all_input_tokens(self) -> int | None:
        """Input with everything cached, as providers bill it; None when no input count is given."""
        if self.input_tokens is None:
            return None
        return self.input_tokens + (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)

    @property
    def all_output_tokens(self) -> int | None:
        """Output with reasoning and audio, as providers bill it; None when no output is given."""
        if self.output_tokens is None:
            return None
        return self.output_tokens + (self.reasoning_tokens or 0) + (self.audio_output_tokens or 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """A count as reported; ``is_beside``: not inside the input or output count, but on top of it."""

    tokens: int
    is_beside: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """Counts of one model call as the source gives them."""

    input_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cache_write_1h_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    audio_output_tokens: Count | None = None

    def filled_from(self, other: Reported) -> Reported:
        """This, with what is missing here taken from ``other``."""
        missing = {name: getattr(other, name) for name in _NAMES if getattr(self, name) is None}
        return replace(self, **missing)


_NAMES = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
)

# Langfuse's usage_details: its own buckets do not overlap, the *_details.* keys repeat a part of a whole.
_LANGFUSE_KEYS: tuple[tuple[str, str, bool], ...] = (
    ("input", "input_tokens", False),
    ("input_cached_tokens", "cache_read_tokens", True),
    ("input_cache_read", "cache_read_tokens", True),
    ("prompt_details.cache_read", "cache_read_tokens", False),
    ("input_cache_creation", "cache_write_tokens", True),
    ("input_cache_creation_1h", "cache_write_1h_tokens", True),
    ("prompt_details.cache_write", "cache_write_tokens", False),
    ("output", "output_tokens", False),
    ("output_reasoning_tokens", "reasoning_tokens", True),
    ("output_reasoning", "reasoning_tokens", True),
    ("completion_details.reasoning", "reasoning_tokens", False),
    ("output_audio", "audio_output_tokens", True),
    ("completion_details.audio", "audio_output_tokens", False),
)


def usage_of(attributes: Attributes, dialect: str) -> Usage | None:
    """The token counts in ``attributes``; None when they hold none."""
    details = object_of(attributes.get("langfuse.observation.usage_details"))
    reported = _langfuse(details) if details else _named(attributes, dialect)
    reported = reported.filled_from(_provider_metadata(attributes))
    reported = reported.filled_from(_adk_blob(attributes, reported))
    usage = by_one_rule(reported)
    return None if usage == Usage() else usage


def by_one_rule(reported: Reported) -> Usage:
    """``reported`` in buckets that do not overlap."""
    write = reported.cache_write_tokens
    long_write = reported.cache_write_1h_tokens
    fits = long_write is not None and write is not None and long_write.tokens <= write.tokens
    return Usage(
        input_tokens=_without_parts(
            reported.input_tokens, (reported.cache_read_tokens, reported.cache_write_tokens)
        ),
        cache_read_tokens=_tokens(reported.cache_read_tokens),
        cache_write_tokens=_tokens(write),
        cache_write_1h_tokens=_tokens(long_write) if fits else None,
        output_tokens=_without_parts(
            reported.output_tokens, (reported.reasoning_tokens, reported.audio_output_tokens)
        ),
        reasoning_tokens=_tokens(reported.reasoning_tokens),
        audio_output_tokens=_tokens(reported.audio_output_tokens),
    )


def _tokens(count: Count | None) -> int | None:
    return None if count is None else count.tokens


def _without_parts(whole: Count | None, parts: tuple[Count | None, ...]) -> int | None:
    if whole is None:
        return None
    inside = sum(part.tokens for part in parts if part is not None and not part.is_beside)
    # More than the whole cannot be inside it: this source counts the parts beside the whole.
    return whole.tokens - inside if inside <= whole.tokens else whole.tokens


def _count(value: Json, *, is_beside: bool = False) -> Count | None:
    tokens = count_of(value)
    return None if tokens is None else Count(tokens=tokens, is_beside=is_beside)


def _named(attributes: Attributes, dialect: str) -> Reported:
    return Reported(
        input_tokens=_first_count(attributes, "input_tokens", dialect),
        cache_read_tokens=_first_count(attributes, "cache_read_tokens", dialect),
        cache_write_tokens=_first_count(attributes, "cache_write_tokens", dialect),
        output_tokens=_first_count(attributes, "output_tokens", dialect),
        reasoning_tokens=_first_count(attributes, "reasoning_tokens", dialect),
        audio_output_tokens=_first_count(attributes, "audio_output_tokens", dialect),
    )


def _first_count(attributes: Attributes, field: Field, dialect: str) -> Count | None:
    for alias in aliases_of(field, dialect):
        value = attributes.get(alias.name)
        if value is not None:
            return _count(value, is_beside=alias.is_beside)
    return None


def _langfuse(details: Attributes) -> Reported:
    found: dict[str, Count] = {}
    for key, name, is_beside in _LANGFUSE_KEYS:
        count = _count(details.get(key), is_beside=is_beside)
        if count is not None:
            found.setdefault(name, count)
    return Reported(**found)


def _provider_metadata(attributes: Attributes) -> Reported:
    """What the Vercel AI SDK forwards from the provider's own answer."""
    metadata = object_of(attributes.get("ai.response.providerMetadata"))
    openai = object_of(metadata.get("openai"))
    anthropic = object_of(object_of(metadata.get("anthropic")).get("usage"))
    lifetimes = object_of(anthropic.get("cache_creation"))
    bedrock = object_of(object_of(metadata.get("bedrock")).get("usage"))
    written = [
        tokens
        for key in ("cacheWriteInputTokens", "cacheCreationInputTokens")
        if (tokens := count_of(bedrock.get(key))) is not None
    ]
    return Reported(
        cache_read_tokens=_count(openai.get("cachedPromptTokens"))
        or _count(anthropic.get("cache_read_input_tokens"))
        or _count(bedrock.get("cacheReadInputTokens")),
        cache_write_tokens=_count(anthropic.get("cache_creation_input_tokens"))
        or (Count(tokens=sum(written)) if written else None),
        cache_write_1h_tokens=_count(lifetimes.get("ephemeral_1h_input_tokens")),
        reasoning_tokens=_count(openai.get("reasoningTokens")),
    )


def _adk_blob(attributes: Attributes, named: Reported) -> Reported:
    """Google ADK's answer blob: Gemini counts cached tokens inside the prompt, thoughts beside the output."""
    metadata = object_of(object_of(attributes.get("gcp.vertex.agent.llm_response")).get("usage_metadata"))
    if not metadata:
        return Reported()
    prompt = named.input_tokens or _count(metadata.get("prompt_token_count"))
    output = named.output_tokens or _count(metadata.get("candidates_token_count"))
    thoughts = _count(metadata.get("thoughts_token_count"))
    total = count_of(metadata.get("total_token_count"))
    if thoughts and total is not None:
        # Since 2.3 the output attribute holds the thoughts as well; the total tells which.
        apart = (_tokens(prompt) or 0) + (_tokens(output) or 0) + thoughts.tokens
        thoughts = replace(thoughts, is_beside=apart <= total)
    return Reported(
        input_tokens=prompt,
        cache_read_tokens=_count(metadata.get("cached_content_token_count")),
        output_tokens=output,
        reasoning_tokens=thoughts,
    )
