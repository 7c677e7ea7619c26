"""The EU AI Act binder and grants of content as a page shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.binder.make import REPORT_NAME, folder_of, make_binder, read_binder
from app.desk import Desk
from runner.control import content_grants
from runner.control.access import WHOLE_COMPANY, may
from runner.control.content_grants import ContentGrant

__all__ = ["ContentGrant", "Kept", "grants", "kept", "make"]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The binder of a month as it is kept: its sentence, dates, one row per requirement, and its PDF."""

    sentence: str
    applies: tuple[str, ...]
    is_demo: bool
    lines: tuple[Mapping[str, str | None], ...]
    report: Path


def kept(desk: Desk, month: dt.date) -> Kept | None:
    """The binder of ``month``, None when none was made. Raises BinderError."""
    workspace = desk.control.workspace
    told = read_binder(workspace, month)
    if told is None:
        return None
    return Kept(
        sentence=told.sentence,
        applies=told.applies,
        is_demo=told.is_demo,
        lines=told.lines,
        report=folder_of(workspace, month) / REPORT_NAME,
    )


def may_make(desk: Desk, person_id: str) -> bool:
    """Whether the person may sign_report, which making a binder on the page needs."""
    return may(desk.control.registry(), person_id, "sign_report", WHOLE_COMPANY).allowed


def make(desk: Desk, person_id: str, month: dt.date) -> int:
    """Make the binder anew; returns how many requirements have a gap.

    Raises AccessRefused for who may not sign_report, and what :func:`app.binder.make.make_binder` raises.
    """
    control = desk.control
    control.require(control.registry(), person_id, "sign_report", WHOLE_COMPANY)
    return make_binder(control, month).gap_count


def grants(desk: Desk, person_id: str) -> tuple[list[ContentGrant], dt.datetime]:
    """Grants of content and the time now: all for who sees every team, else the person's own."""
    control = desk.control
    registry = control.registry()
    person = registry.people.get(person_id)
    sees_all = person is not None and registry.roles[person.role].scope == "all"
    with control.store.read() as connection:
        found = content_grants.of_person(connection, None if sees_all else person_id)
    return found, control.store.clock()
