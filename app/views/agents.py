"""Agents: the catalogue, one row per agent, declared or only seen."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import plural, words
from app.views._parts import controls
from app.views._parts.page import Page, current, empty, heading, nothing, open_agent
from app.views._parts.tables import Column, show

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
    rows = _matching(_rows(page, period, team), risk, status, text)
    st.caption(_summary(rows))
    if rows.is_empty():
        empty("No agent matches these filters. Clear one of them.")
        return
    clicked = show(
        rows,
        _columns(page, docs, period),
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
    columns = st.columns([3, 2, 2, 2] if len(page.teams_seen) > 1 else [3, 2, 2])
    with columns[0]:
        text = controls.text("Search", "q", "Name, purpose, owner or model")
    with columns[1]:
        risk = controls.select("Risk class", "risk", RISKS, anything="Any risk class")
    with columns[2]:
        seen = page.ask("agents")["status"].drop_nulls().unique().sort().to_list()
        options = {status: words(status).capitalize() for status in seen} | {"none": "Not registered"}
        status = controls.select("Status", "status", options, anything="Any status")
    if len(columns) < 4:
        return None, risk, status, text
    with columns[3]:
        return controls.team(page), risk, status, text


def _rows(page: Page, period: controls.Period, team: str | None) -> pl.DataFrame:
    rows = page.ask("agents", first_date=period.first_date, last_date=period.last_date, team_id=team)
    return rows.with_columns(
        name=pl.coalesce("agent_name", "agent_id"),
        team=page.teamed("team_id"),
        owner=page.named("owner_id"),
        state=pl.when(pl.col("is_registered")).then(pl.col("status")).otherwise(pl.lit("not registered")),
    ).sort("is_small", "success_rate_low", "runs", descending=[False, True, True], nulls_last=True)


def _matching(rows: pl.DataFrame, risk: str | None, status: str | None, text: str) -> pl.DataFrame:
    if risk:
        rows = rows.filter(pl.col("risk_class") == risk)
    if status:
        rows = rows.filter(~pl.col("is_registered") if status == "none" else pl.col("status") == status)
    if text:
        searched = pl.concat_str(
            "name", "agent_id", "purpose", "owner", "model_name", separator=" ", ignore_nulls=True
        )
        rows = rows.filter(searched.str.to_lowercase().str.contains(text.lower(), literal=True))
    return rows


def _summary(rows: pl.DataFrame) -> str:
    states = rows.group_by("state").len().sort("len", descending=True).rows()
    parts = [plural(rows.height, "agent"), *(f"{number} {words(state)}" for state, number in states)]
    parts.append(f"{rows.filter(pl.col('risk_class') == 'high').height} high risk")
    return " · ".join(parts)


def _columns(page: Page, docs: dict[str, str], period: controls.Period) -> list[Column]:
    metrics = page.built().metrics()
    days = f"Runs per day, {period.words}."
    columns = [
        Column(name="name", heading="Agent", opens=True, pinned=True, width=180, meaning=docs["agent_name"]),
        Column(name="team", heading="Team", meaning=docs["team_id"], width=85),
        Column(name="risk_class", heading="Risk", meaning=docs["risk_class"], width=72),
        Column(name="state", heading="Status", meaning=docs["status"], width=92),
        Column(name="runs", heading="Runs", kind="count", meaning=metrics["runs"].definition, width=66),
        Column(name="runs_per_day", heading="Trend", kind="trend", meaning=days, width=100),
        Column(
            name="success_rate",
            heading="Success",
            kind="share",
            grey_when="is_small",
            meaning=metrics["success_rate"].definition,
            width=85,
        ),
        Column(
            name="success_rate_low",
            heading="At least",
            kind="share",
            grey_when="is_small",
            meaning="Lower bound of the Wilson 95 % interval of the success rate.",
            width=85,
        ),
        Column(
            name="cost_usd", heading="Cost", kind="money", meaning=metrics["cost_usd"].definition, width=110
        ),
        Column(
            name="cost_per_success_usd",
            heading="Per success",
            kind="money",
            meaning=metrics["cost_per_success"].definition,
            width=110,
        ),
        Column(
            name="machine_p50_ms",
            heading="Median time",
            kind="duration",
            meaning=metrics["machine_p50_ms"].definition,
            width=100,
        ),
        Column(
            name="tool_error_rate",
            heading="Tool errors",
            kind="share",
            meaning=metrics["tool_error_rate"].definition,
            width=95,
        ),
        Column(name="owner", heading="Owner", meaning=docs["owner_id"], width=130),
        Column(name="model_name", heading="Model", meaning=docs["model_name"]),
    ]
    return [column for column in columns if column.name != "team" or len(page.teams_seen) > 1]


if __name__ == "__main__":
    render()
