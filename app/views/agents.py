"""Agents: the catalogue, one row per agent, declared or only seen."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import plural, words
from app.views._parts import controls
from app.views._parts.catalogue import agent_rows, columns, matching
from app.views._parts.page import Page, current, empty, heading, nothing, open_agent
from app.views._parts.tables import show

RISKS = {"high": "High risk", "limited": "Limited risk", "minimal": "Minimal risk"}


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Agents", "Which agents are there, and which are worth a look?")
    page.built()
    if page.ask("agents").is_empty():
        nothing("No agents yet. They appear here when the registry is applied.", "registry apply")
    period = controls.period(page)
    team, risk, status, text = _filters(page)
    docs = page.scoped().column_docs("dim_agents")
    rows = matching(agent_rows(page, period, team), risk, status, text)
    st.caption(_summary(rows))
    if rows.is_empty():
        empty("No agent matches these filters. Clear one of them.")
        return
    clicked = show(
        rows,
        columns(page, docs, period),
        key="catalogue",
        zone=page.zone,
        alt="All agents",
    )
    st.caption(
        "Sorted by the lower bound of the success rate; agents with fewer than 20 runs are grey and stand "
        "at the end. Click a name to open the agent."
    )
    if clicked is not None:
        open_agent(rows["agent_id"][clicked])


def _filters(page: Page) -> tuple[str | None, str | None, str | None, str]:
    text = controls.text("Search", "q", "Name, purpose, owner or model")
    with st.container(horizontal=True):
        risk = controls.select("Risk class", "risk", RISKS, anything="Any risk class")
        seen = page.ask("agents")["status"].drop_nulls().unique().sort().to_list()
        options = {status: words(status).capitalize() for status in seen} | {"none": "Not registered"}
        status = controls.select("Status", "status", options, anything="Any status")
        return controls.team(page), risk, status, text


def _summary(rows: pl.DataFrame) -> str:
    states = rows.group_by("state").len().sort("len", descending=True).rows()
    parts = [plural(rows.height, "agent"), *(f"{number} {words(state)}" for state, number in states)]
    parts.append(f"{rows.filter(pl.col('risk_class') == 'high').height} high risk")
    return " · ".join(parts)


if __name__ == "__main__":
    render()
