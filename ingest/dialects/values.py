"""Values of foreign attributes: what a text, a count, a time or a sum of money is, and what is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import TypeAlias

import msgspec

from ingest.dialects.aliases import Field, names_of

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Attributes: TypeAlias = Mapping[str, Json]

# A model call of more tokens than this does not exist; a sender's mistake must not drown a month's figures.
MAX_TOKENS = 10**9
MAX_COST_NANO_USD = 10**15  # one million USD for one call
# Times outside are a clock that was never set, or another unit.
MIN_TIME_NS = 946_684_800 * 10**9  # 2000-01-01
MAX_TIME_NS = 4_102_444_800 * 10**9  # 2100-01-01
MAX_NAME_CHARACTERS = 512
_NANO = Decimal(10**9)


def text_of(value: Json) -> str | None:
    """``value`` as a non-empty text, of a list its first element; numbers and booleans as in JSON."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        return None
    if isinstance(value, Sequence):
        return text_of(value[0]) if value else None
    if value is None:
        return None
    return msgspec.json.encode(value).decode()


def name_of(value: Json) -> str | None:
    """:func:`text_of`, cut to a length that a name can have."""
    text = text_of(value)
    return text[:MAX_NAME_CHARACTERS] if text else None


def decimal_of(value: Json) -> Decimal | None:
    """``value`` as an exact finite number (a float through its shortest form); None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    # A long exponent would make a whole number of megabytes.
    return number if number.is_finite() and abs(number.adjusted()) < 40 else None


def count_of(value: Json) -> int | None:
    """``value`` as a number of tokens; None for what cannot be one: negative, fractional, huge, no number."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    number = decimal_of(value)
    if number is None or number != number.to_integral_value() or not 0 <= number <= MAX_TOKENS:
        return None
    return int(number)


def nano_usd_of(value: Json) -> int | None:
    """``value`` in USD as nano-USD, rounded half even; None for what cannot be a cost."""
    number = decimal_of(value)
    if number is None or number < 0:
        return None
    nano = int((number * _NANO).to_integral_value(ROUND_HALF_EVEN))
    return nano if nano <= MAX_COST_NANO_USD else None


def time_of(value: Json) -> int | None:
    """``value`` as nanoseconds since 1970; None when it is absent, 0, or outside the years 2000 to 2100."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if type(value) is not int or not MIN_TIME_NS <= value < MAX_TIME_NS:
        return None
    return value


def object_of(value: Json) -> Attributes:
    """``value`` as an object: itself, or the object in its JSON text; an empty one for everything else."""
    if isinstance(value, (dict, Mapping)):  # a dict is found ten times faster
        return value
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return {}
    try:
        parsed = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def first(attributes: Attributes, field: Field, dialect: str = "") -> Json:
    """The value under the newest name of ``field`` that is present; an empty text is as good as absent."""
    for name in names_of(field, dialect):
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None


def first_name(attributes: Attributes, field: Field, dialect: str = "") -> str | None:
    """:func:`first` as a short text."""
    return name_of(first(attributes, field, dialect))
