"""Results of tools: always JSON text, never longer than a model can use, whatever the tool gave back."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

from pydantic_core import PydanticSerializationError, to_jsonable_python

# About 25,000 tokens: more crowds everything else out of a context, and costs that much on every turn.
LONGEST_RESULT = 100_000


@dataclass(frozen=True, kw_only=True)
class Result:
    """A result as JSON ``text``; ``whole_sha256`` is the digest of the whole where the text was cut."""

    text: str
    whole_sha256: str | None = None


def result_text(result: object) -> str:
    """A tool's result as JSON text; what JSON cannot hold becomes text, so that an effect is never lost."""
    try:
        plain = to_jsonable_python(result, bytes_mode="base64", serialize_unknown=True)
        return json.dumps(_finite(plain), ensure_ascii=False, allow_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError):
        return json.dumps(_described(result), ensure_ascii=False)


def bounded(text: str) -> Result:
    """``text`` as it is, or the beginning of it with a note that says how much is missing."""
    if len(text) <= LONGEST_RESULT:
        return Result(text=text)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    note = f"[cut: the first {LONGEST_RESULT:,} of {len(text):,} characters; SHA256 of the whole: {digest}]"
    return Result(
        text=json.dumps(f"{text[:LONGEST_RESULT]}\n{note}", ensure_ascii=False), whole_sha256=digest
    )


def _finite(value: object) -> object:
    """NaN and infinities as text: JSON has no numbers for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value


def _described(result: object) -> str:
    """What can be said of a result that is no data, for example one that contains itself."""
    try:
        return repr(result)[:LONGEST_RESULT]
    except (ValueError, TypeError, RecursionError, AttributeError):
        return f"a {type(result).__name__} that cannot be written down"
