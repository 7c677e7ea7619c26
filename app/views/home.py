"""Home: what needs me today, what changed in two weeks, and which agents moved most."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from app.views._parts import alerts, measures, moved, needs
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading

TILES = ("runs", "success_rate", "cost_usd", "cost_per_success")
DAYS = 14


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Home", "What needs me today?")
    needs.show_needs()
    alerts.show_alerts(page)
    page.built()
    if page.run_days() is None:
        empty("No runs yet. Run an agent or import runs, then build.", 'run <agent> "<task>" --as <person>')
        return
    period = _fortnight(page)
    st.subheader(f"The last {DAYS} days", anchor=False)
    measures.row(page, TILES, period)
    moved.show_movers(page, period)


def _fortnight(page: Page) -> Period:
    last = page.last_date()
    return Period(first_date=last - dt.timedelta(days=DAYS - 1), last_date=last)


if __name__ == "__main__":
    render()
