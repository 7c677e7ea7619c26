"""What a period is compared with: the days before, the same weeks a quarter earlier, a version, own dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from app.views._parts import controls
from app.views._parts.controls import Period
from app.views._parts.page import Page

_BEFORE, _QUARTER, _OWN = "before", "quarter", "own"
# Thirteen whole weeks: the same weekdays.
_QUARTER_DAYS = 91
_KEY, _KEPT = "filter_vs_days", "kept_vs_days"
_IN_URL = ("vs_from", "vs_to")
# No agent ran before; and the calendar of the field needs some years of room on both sides.
_EARLIEST, _LATEST = dt.date(2000, 1, 1), dt.date(2100, 1, 1)


def compared(page: Page, period: Period, agent_id: str = "") -> Period:
    """``period`` with what the reader chose to compare it with; the URL carries the choice as ``vs``.

    For one agent the days on which an earlier version of it was in force are offered as well.
    """
    versions = _versions(page, agent_id, period) if agent_id else {}
    words = {
        _BEFORE: "Against the days before",
        _QUARTER: "Against the same weeks a quarter earlier",
        **{name: f"Against version {name[1:]}" for name in versions},
        _OWN: "Against own dates",
    }
    chosen = controls.one_of_many("Compare with", "vs", words)
    if chosen != _OWN:
        for name in _IN_URL:
            st.query_params.pop(name, None)
    if chosen == _QUARTER:
        back = dt.timedelta(days=_QUARTER_DAYS)
        earlier = Period(first_date=period.first_date - back, last_date=period.last_date - back)
        return replace(period, against=earlier)
    if chosen == _OWN:
        return replace(period, against=_own(period))
    return replace(period, against=versions.get(chosen))


def _versions(page: Page, agent_id: str, period: Period) -> Mapping[str, Period]:
    """Versions that were in force before the period, newest first: their days until the period begins."""
    runs = page.run_days()
    if runs is None:
        return {}
    found = {}
    for row in page.ask("versions", agent_id=agent_id).iter_rows(named=True):
        if row["in_force_at"] is None:
            continue
        first = row["in_force_at"].astimezone(page.zone).date()
        end = row["in_force_until_at"]
        last = period.first_date - dt.timedelta(days=1)
        if end is not None:
            last = min(last, end.astimezone(page.zone).date() - dt.timedelta(days=1))
        first = max(first, runs[0])
        if first <= last:
            found[f"v{row['agent_version']}"] = Period(first_date=first, last_date=last)
    return found


def _own(period: Period) -> Period:
    """Days that the reader names; the URL carries them as ``vs_from`` and ``vs_to``."""
    if _KEY not in st.session_state:
        before = (period.before.first_date, period.before.last_date)
        st.session_state[_KEY] = _told() or st.session_state.get(_KEPT) or before
    given = st.date_input(
        "Days to compare with",
        key=_KEY,
        min_value=_EARLIEST,
        max_value=_LATEST,
        label_visibility="collapsed",
    )
    if not isinstance(given, tuple) or len(given) != 2:
        return period.before  # one of the two days is chosen so far
    first, last = st.session_state[_KEPT] = given
    for name, day in zip(_IN_URL, given, strict=True):
        if st.query_params.get(name) != day.isoformat():
            st.query_params[name] = day.isoformat()
    return Period(first_date=first, last_date=last)


def _told() -> tuple[dt.date, dt.date] | None:
    """The days in the URL; None where they are no days, or the last is before the first."""
    try:
        first, last = (dt.date.fromisoformat(st.query_params.get(name, "")) for name in _IN_URL)
    except ValueError:
        return None
    return (first, last) if _EARLIEST <= first <= last <= _LATEST else None
