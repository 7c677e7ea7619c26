"""What the log says for a binder: the company's settings, its people, events of the month, statements.

Settings, people and events count as recorded before the month was over; statements about the month count
whenever they were made, because they are made afterwards. So the same log gives the same binder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from app.errors import BinderError
from ingest.contract import Value
from ingest.reader import payload_texts, rows_where
from ingest.workspace import Workspace
from runner.control.months import month_end, month_text
from runner.control.registry_extras import AiAct, Oversight

Row = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A person's words on a requirement, and the month they were first given for."""

    requirement_id: str
    person_id: str
    first_month: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything a binder is made from beside the answer of the month's check."""

    settings: AiAct
    people: frozenset[str]
    event_counts: Mapping[str, int]
    statements: Mapping[str, Statement]


def facts_of(
    workspace: Workspace, month: dt.date, zone: ZoneInfo, event_types: Sequence[str], *, is_demo: bool
) -> Facts:
    """Read the log; the month is that of ``zone``.

    Raises SegmentError, PayloadLocked, BinderError for settings that cannot be read.
    """
    end = month_end(month, zone)
    start = month_end(month - dt.timedelta(days=1), zone)
    counts = {
        name: sum(
            row["is_demo"] == is_demo and start <= _moment(row) < end
            for row in _before(workspace, name, end, ())
        )
        for name in event_types
    }
    return Facts(
        settings=_settings(workspace, end),
        people=_people(workspace, end),
        event_counts=counts,
        statements=_statements(workspace, month, end),
    )


def _before(workspace: Workspace, event_type: str, end: dt.datetime, names: Sequence[str]) -> Iterator[Row]:
    """Events of a type that were recorded before ``end``; what the demo plays counts when it happened."""
    columns = ["event_type", "occurred_at", "recorded_at", "recorded_via", "is_demo", *names]
    for table in rows_where(workspace, columns, "event_type", event_type):
        for row in table.to_pylist():
            taken = row["occurred_at"] if row["recorded_via"] == "demo" else row["recorded_at"]
            if taken < end:
                yield row


def _moment(row: Row) -> dt.datetime:
    moment = row["occurred_at"]
    if not isinstance(moment, dt.datetime):
        raise TypeError("an event without a time")
    return moment


def _settings(workspace: Workspace, end: dt.datetime) -> AiAct:
    declared = sorted(_before(workspace, "oversight_declared", end, ("payload_id",)), key=_moment)
    if not declared:
        return AiAct()
    payload_id = str(declared[-1]["payload_id"])
    text = payload_texts(workspace, [payload_id])[payload_id]
    try:
        return Oversight.model_validate_json(text or "").ai_act
    except ValidationError as error:
        raise BinderError(
            f"No binder made: the oversight declaration {payload_id} cannot be read "
            f"({error.error_count()} problems). Apply registry.yaml again."
        ) from error


def _people(workspace: Workspace, end: dt.datetime) -> frozenset[str]:
    told = [
        (_moment(row), event_type == "person_declared", str(row["person_id"]))
        for event_type in ("person_declared", "person_removed")
        for row in _before(workspace, event_type, end, ("person_id",))
    ]
    people: set[str] = set()
    for _, is_declared, person_id in sorted(told):
        (people.add if is_declared else people.discard)(person_id)
    return frozenset(people)


def _statements(workspace: Workspace, month: dt.date, end: dt.datetime) -> dict[str, Statement]:
    """The newest statement about each requirement that counts for the month."""
    names = [
        "event_type",
        "requirement_id",
        "check_month",
        "person_id",
        "reason",
        "occurred_at",
        "expires_at",
    ]
    asked = month_text(month)
    rows = [
        row
        for table in rows_where(workspace, names, "event_type", "requirement_attested")
        for row in table.to_pylist()
        if row["check_month"] == asked
        or (row["expires_at"] and row["check_month"] < asked and row["expires_at"] >= end)
    ]
    return {
        row["requirement_id"]: Statement(
            requirement_id=row["requirement_id"],
            person_id=row["person_id"],
            first_month=row["check_month"],
            reason=row["reason"],
        )
        for row in sorted(rows, key=_moment)
    }
