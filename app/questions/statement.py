"""One SQL statement with its values: what runs, and the same text as a person can paste it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

Value = str | int | bool | float | Decimal | dt.date | dt.datetime | None

_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """``sql`` with ``$named`` parameters, their ``values``, and what the rows mean in one sentence."""

    sql: str
    values: Mapping[str, Value]
    meaning: str

    @property
    def used(self) -> dict[str, Value]:
        """The values that ``sql`` names; the engine refuses others. KeyError: a name without value."""
        return {name: self.values[name] for name in dict.fromkeys(_PARAMETER.findall(self.sql))}

    @property
    def text(self) -> str:
        """The statement with its values written in, to read and to paste into DuckDB."""
        return _PARAMETER.sub(lambda found: literal(self.values[found.group(1)]), self.sql)


def literal(value: Value) -> str:
    """``value`` as a DuckDB literal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return f"timestamptz '{value.isoformat()}'"
    if isinstance(value, dt.date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
