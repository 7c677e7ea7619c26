"""What a question is: its name, its sentence, the filters it takes, and how it becomes SQL."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from app.errors import QuestionError
from app.questions.statement import Value

FilterValue = Value | tuple[str, ...] | list[str]

COMMON: Mapping[str, type] = {
    "first_date": dt.date,
    "last_date": dt.date,
    "team_id": str,
    "agent_id": str,
}
"""Filters that every question takes: days in the company zone, both included; team; agent."""

COMPARED: Mapping[str, type] = {"compared_first_date": dt.date, "compared_last_date": dt.date}
"""Filters of questions that compare: the days to compare with, where they are not those just before."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of ``dim_metrics``: its SQL over one fact table, and how to write and read it."""

    metric_id: str
    label: str
    unit: str
    format: str
    kind: str
    fact: str
    date_column: str
    population: str
    fleet_rule: str | None
    numerator: str
    denominator: str
    agent_numerator: str | None
    agent_denominator: str | None
    definition: str
    minimum_count: int
    position: int


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One asking of a question: the filters that were given (never None) and the metrics of the generation.

    ``values`` grows with every value that a condition names, under ``prefix`` and its own name.
    """

    filters: Mapping[str, FilterValue]
    metrics: Mapping[str, Metric]
    values: dict[str, Value] = field(default_factory=dict)
    prefix: str = ""

    def text(self, name: str, default: str = "") -> str:
        """The filter ``name`` as text, ``default`` when it was not given."""
        return str(self.filters.get(name, default))

    def number(self, name: str, default: int) -> int:
        """The filter ``name`` as a whole number, ``default`` when it was not given."""
        given = self.filters.get(name)
        return int(given) if isinstance(given, int) else default

    def day(self, name: str) -> dt.date | None:
        """The filter ``name`` as a day, None when it was not given."""
        given = self.filters.get(name)
        return given if isinstance(given, dt.date) else None

    def bind(self, name: str, value: Value) -> str:
        """``$name`` for the SQL, with its value kept."""
        self.values[self.prefix + name] = value
        return f"${self.prefix}{name}"

    def where(self, date: str = "", *, equals: Mapping[str, str] | None = None, also: str = "") -> str:
        """The conditions of this asking joined by ``and``, ``true`` when there are none.

        ``date`` is the column of the period; ``equals`` maps a filter to the column that must equal it
        (team and agent are always in it, unless mapped to an empty name); ``also`` is one more condition.
        """
        conditions = [also, *self._period(date)]
        for name, column in {"team_id": "team_id", "agent_id": "agent_id", **(equals or {})}.items():
            if column and name in self.filters:
                conditions.append(f"{column} = {self.bind(name, _plain(self.filters[name]))}")
        return " and ".join(condition for condition in conditions if condition) or "true"

    def _period(self, date: str) -> list[str]:
        first, last = self.day("first_date"), self.day("last_date")
        if not date:
            return []
        if ".." in date:
            start, _, end = date.partition("..")
            day = self.bind("last_date", last) if last else ""
            return [f"{day} >= {start} and coalesce({day} <= {end}, true)"] if last else []
        return [
            *([f"{date} >= {self.bind('first_date', first)}"] if first else []),
            *([f"{date} <= {self.bind('last_date', last)}"] if last else []),
        ]

    def before(self) -> Ask | None:
        """The same asking for the days it is compared with; None without a period.

        They are the filters of :data:`COMPARED`, else the period of equal length before this one.
        """
        first, last = self.day("first_date"), self.day("last_date")
        if first is None or last is None:
            return None
        length = last - first + dt.timedelta(days=1)
        begin, end = (self.day(name) for name in COMPARED)
        earlier = {
            **self.filters,
            "first_date": first - length if begin is None else begin,
            "last_date": last - length if end is None else end,
        }
        return Ask(filters=earlier, metrics=self.metrics, values=self.values, prefix="previous_")


def _plain(value: FilterValue) -> Value:
    if isinstance(value, tuple | list):
        raise TypeError(f"a list cannot equal a column: {value!r}")
    return value


def unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows as the engine gave them."""
    return frame


@dataclass(frozen=True, kw_only=True)
class Question:
    """A named question: ``meaning`` is its sentence, ``takes`` its filters beside the common ones.

    ``write`` makes the SQL over the tables without schema; ``finish`` adds what SQL is not asked for.
    """

    name: str
    meaning: str
    write: Callable[[Ask], str]
    takes: Mapping[str, type] = field(default_factory=dict)
    finish: Callable[[pl.DataFrame], pl.DataFrame] = unchanged

    def accept(self, filters: Mapping[str, FilterValue]) -> dict[str, FilterValue]:
        """``filters`` without the empty ones. Raises QuestionError for an unknown name or a wrong type."""
        known = {**COMMON, **self.takes}
        given: dict[str, FilterValue] = {
            name: value for name, value in filters.items() if value is not None and value != ""
        }
        for name, value in given.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f", did you mean {near[0]!r}" if near else ""
                raise QuestionError(
                    f"Question {self.name!r} has no filter {name!r}{hint}? "
                    f"It takes {', '.join(sorted(known))}."
                )
            if not isinstance(value, known[name]) or (
                isinstance(value, bool) and known[name] not in (bool, object)
            ):
                raise QuestionError(
                    f"Filter {name!r} of question {self.name!r} is {value!r}, "
                    f"expected {known[name].__name__}. Correct the caller."
                )
        return given
