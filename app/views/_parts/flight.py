"""Runs that have not ended, with what they have spent and hold now."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.labels import money, plural
from app.views._parts.page import Page, empty, open_run
from app.views._parts.tables import Column, show


def runs_in_flight(page: Page) -> None:
    """A table of the runs in flight within the person's scope; a click opens one."""
    runs, now = page.desk.live_runs(page.person.person_id), dt.datetime.now(dt.UTC)
    st.subheader("Runs in flight", anchor=False)
    if not runs:
        empty("No run is in flight.", 'run <agent> "<task>" --as <person>')
        return
    spent, held = (sum(amounts) for amounts in zip(*((r.spent_usd, r.held_usd) for r in runs), strict=True))
    st.caption(f"{plural(len(runs), 'run')} in flight: {money(spent)} spent, {money(held)} held.")
    rows = pl.DataFrame(
        {
            "run": [one.run_id[-12:] for one in runs],
            "agent": [one.agent_name for one in runs],
            "team": [page.team(one.team_id) for one in runs],
            "status": [_status(one.status, one.pause_reason) for one in runs],
            "who": [page.name_of(one.requested_by) for one in runs],
            "age": [(now - one.requested_at).total_seconds() for one in runs],
            "turns": [one.turn_count for one in runs],
            "spent": [one.spent_usd for one in runs],
            "held": [one.held_usd for one in runs],
        },
        schema_overrides={"spent": pl.Float64, "held": pl.Float64, "age": pl.Float64},
    )
    columns = [
        Column(name="run", heading="Run", opens=True, width=125),
        Column(name="agent", heading="Agent"),
        Column(name="team", heading="Team", width=100),
        Column(name="status", heading="State", width=150),
        Column(name="who", heading="For", width=120),
        Column(name="age", heading="Asked", kind="ago", width=80),
        Column(name="turns", heading="Turns", kind="count", width=65),
        Column(name="spent", heading="Spent", kind="money", width=110),
        Column(name="held", heading="Held", kind="money", width=110),
    ]
    clicked = show(rows, columns, key="in_flight", zone=page.zone, height="auto", alt="Runs in flight")
    if clicked is not None:
        open_run(runs[clicked].run_id)


def _status(status: str, reason: str | None) -> str:
    words = f"{status}, {reason}" if reason else status
    return words.replace("_", " ")
