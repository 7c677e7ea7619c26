"""The EU AI Act binder as a page shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.binder.make import REPORT_NAME, folder_of, make_binder, read_binder
from app.desk import Desk
from runner.control.access import WHOLE_COMPANY, may

__all__ = ["Kept", "kept", "make", "may_make"]


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
