"""Which agents moved most between two periods, as a table."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.views._parts.controls import Period
from app.views._parts.page import Page, empty, open_agent
from app.views._parts.tables import Column, show


def movers(page: Page, period: Period, team: str | None) -> None:
    """Agents whose success rate moved most against the period before, both with enough runs."""
    if period.is_overlapping:
        st.subheader("What moved most", anchor=False)
        empty(f"{period.before.words} overlaps with the period shown. Choose other days to compare with.")
        return
    now, before = (
        page.ask("agents", first_date=span.first_date, last_date=span.last_date, team_id=team).filter(
            ~pl.col("is_small")
        )
        for span in (period, period.before)
    )
    moved = (
        now.join(before, on="agent_id", suffix="_before")
        .with_columns(
            moved=pl.col("success_rate") - pl.col("success_rate_before"),
            name=pl.coalesce("agent_name", "agent_id"),
            team=page.teamed("team_id"),
        )
        .sort(pl.col("moved").abs(), descending=True)
        .head(6)
    )
    st.subheader("What moved most", anchor=False)
    if moved.is_empty():
        empty(
            f"No agent has 20 runs both in this period and in {period.before.words}. Choose a longer period."
        )
        return
    clicked = show(
        moved,
        [
            Column(name="name", heading="Agent", opens=True, width=220),
            Column(name="team", heading="Team"),
            Column(name="success_rate_before", heading="Success before", kind="share"),
            Column(name="success_rate", heading="Success now", kind="share"),
            Column(name="moved", heading="Change", kind="points"),
            Column(name="cost_per_run_usd_before", heading="Cost per run before", kind="money"),
            Column(name="cost_per_run_usd", heading="Cost per run now", kind="money"),
            Column(name="runs", heading="Runs", kind="count"),
        ],
        key="movers",
        zone=page.zone,
        alt="Agents whose success rate moved most",
    )
    if clicked is not None:
        open_agent(moved["agent_id"][clicked])
