"""Scheduled exports: what ``exports.yaml`` wants where, what is there, and bringing what is missing."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import ExportError
from app.export.formats import Format
from app.export.manifest import MANIFEST_NAME
from app.export.package import Export
from app.export.places import Place, place

FILE_NAME = "exports.yaml"
Every = Literal["day", "week", "month"]
State = Literal["delivered", "missing", "changed", "late rows"]


class Declared(BaseModel):
    """One scheduled export as declared: which rows, as whom, how often, since when, and where to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    every: Every
    person: str = Field(alias="as")
    to: str = Field(min_length=1)
    since: dt.date
    format: Format = "parquet"
    team: str | None = None
    agent: str | None = None

    def filters(self, period: Period) -> dict[str, str | dt.date]:
        """The filters of one period's rows."""
        given: Mapping[str, str | dt.date | None] = {
            "team_id": self.team,
            "agent_id": self.agent,
            "first_date": period.first_date,
            "last_date": period.last_date,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Period:
    """Days from ``first_date`` to ``last_date``, both included."""

    first_date: dt.date
    last_date: dt.date


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One period of one scheduled export: how it stands, and in a sentence why."""

    name: str
    period: Period
    state: State
    told: str


Counted = Callable[[Declared, Period], int]
"""Rows that the period has in the current build."""
Exported = Callable[[Declared, Period], Export]
"""Exports the period's rows in the workspace, with manifest and event."""


def declared(root: Path) -> dict[str, Declared]:
    """What ``exports.yaml`` in ``root`` declares, by name; empty without the file. Raises ExportError."""
    file = root / FILE_NAME
    if not file.exists():
        return {}
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if not isinstance(told, dict):
            raise ValueError("it is no list of names")
        return {str(name): Declared.model_validate(one) for name, one in told.items()}
    except (yaml.YAMLError, ValidationError, ValueError) as error:
        raise ExportError(
            f"Scheduled exports not read: {file}: {error}. Each needs a name with table, every, as, to and "
            "since; see docs/operations.md."
        ) from error


def periods(one: Declared, last_day: dt.date) -> Iterator[Period]:
    """The whole periods since ``since`` that end on ``last_day`` or before."""
    first = _beginning(one.every, one.since)
    while (last := _following(one.every, first) - dt.timedelta(days=1)) <= last_day:
        yield Period(first_date=first, last_date=last)
        first = last + dt.timedelta(days=1)


def _beginning(every: Every, day: dt.date) -> dt.date:
    if every == "month":
        return day.replace(day=1)
    return day - dt.timedelta(days=day.weekday()) if every == "week" else day


def _following(every: Every, first: dt.date) -> dt.date:
    if every == "month":
        return (first + dt.timedelta(days=31)).replace(day=1)
    return first + dt.timedelta(days=7 if every == "week" else 1)


def gaps(wanted: Mapping[str, Declared], last_day: dt.date, counted: Counted) -> Iterator[Standing]:
    """How each period of each scheduled export stands, oldest first. Raises ExportError."""
    for name, one in wanted.items():
        there = place(one.to)
        for period in periods(one, last_day):
            state, told = _stands(there, name, one, period, counted)
            yield Standing(name=name, period=period, state=state, told=told)


def deliver(
    wanted: Mapping[str, Declared], last_day: dt.date, counted: Counted, exported: Exported
) -> Iterator[Standing]:
    """Bring each missing period to its place; yield what was brought. Raises ExportError, AccessRefused."""
    for gap in [one for one in gaps(wanted, last_day, counted) if one.state == "missing"]:
        one = wanted[gap.name]
        export = exported(one, gap.period)
        there, folder = place(one.to), _folder(gap.name, gap.period)
        there.put(f"{folder}/{export.data_file.name}", export.data_file)
        there.put(f"{folder}/{MANIFEST_NAME}", export.manifest_file)  # last: it says that all is there
        rows = f"{export.manifest.row_count:,} rows"
        yield Standing(name=gap.name, period=gap.period, state="delivered", told=rows)


def _folder(name: str, period: Period) -> str:
    return f"{name}/{period.first_date}_{period.last_date}"


def _stands(there: Place, name: str, one: Declared, period: Period, counted: Counted) -> tuple[State, str]:
    folder = _folder(name, period)
    text = there.read(f"{folder}/{MANIFEST_NAME}")
    if text is None:
        return "missing", "not there"
    try:
        told = json.loads(text)
        (entry,) = told["files"]
        file, digest, rows = str(entry["name"]), str(entry["sha256"]), int(told["row_count"])
    except (ValueError, KeyError, TypeError):
        return "changed", f"its {MANIFEST_NAME} is no manifest"
    content = there.read(f"{folder}/{file}")
    if content is None or hashlib.sha256(content).hexdigest() != digest:
        return "changed", f"{file} is not the file that was exported"
    now = counted(one, period)
    if now != rows:
        return "late rows", f"{rows:,} rows delivered, {now:,} known today"
    return "delivered", f"{rows:,} rows"
