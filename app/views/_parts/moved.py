"""The three agents that moved most between two periods: what moved, and what else changed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import streamlit as st

from app.labels import change, md_escape, money, points, share
from app.views._parts.controls import Period
from app.views._parts.page import Page, empty

Row = Mapping[str, object]
_MOST = 3
_CLEAR_POINTS = 0.03


def show_movers(page: Page, period: Period) -> None:
    """One card per agent: its success rate or its cost per run, whichever moved more."""
    st.subheader("Largest movers", anchor=False)
    rows = _moved(page, period)
    if rows.is_empty():
        empty(f"No agent has 20 runs both in this period and in {period.before.words}.")
        return
    for column, row in zip(st.columns(_MOST), rows.head(_MOST).to_dicts(), strict=False):
        with column, st.container(border=True, height="stretch", gap="xsmall"):
            st.page_link(
                "views/agent.py",
                label=f"**{md_escape(row['agent_name'] or row['agent_id'])}**",
                query_params={"agent": str(row["agent_id"])},
            )
            st.markdown(_what(row))
            st.caption(f"{md_escape(page.team(row['team_id']))} · {_meanwhile(page, row, period)}")
    st.caption(f"{period.words} against {period.before.words}; agents with 20 runs in both.")


def _moved(page: Page, period: Period) -> pl.DataFrame:
    now, before = (
        page.ask("agents", first_date=span.first_date, last_date=span.last_date).filter(~pl.col("is_small"))
        for span in (period, period.before)
    )
    points_moved = (pl.col("success_rate") - pl.col("success_rate_before")).abs()
    cost, cost_before = pl.col("cost_per_run_usd"), pl.col("cost_per_run_usd_before")
    cost_moved = pl.when(cost_before > 0).then((cost / cost_before - 1).abs()).otherwise(0.0)
    return (
        now.join(before, on="agent_id", suffix="_before")
        .with_columns(points_moved=points_moved.fill_null(0.0), cost_moved=cost_moved.fill_null(0.0))
        .with_columns(score=pl.max_horizontal("points_moved", pl.col("cost_moved") / 2))
        .sort("score", "agent_id", descending=[True, False])
    )


def _what(row: Row) -> str:
    success, cost = float(str(row["points_moved"])), float(str(row["cost_moved"]))
    if success >= cost / 2:
        now, before = float(str(row["success_rate"])), float(str(row["success_rate_before"]))
        return f"Success {share(before, 0)} → {share(now, 0)} ({points(now - before)})"
    now, before = float(str(row["cost_per_run_usd"])), float(str(row["cost_per_run_usd_before"]))
    return f"Cost per run {money(before)} → {money(now)} ({change(now, before)})"


def _meanwhile(page: Page, row: Row, period: Period) -> str:
    """What changed at the same time; it may be the cause, and is called no more than that."""
    found = []
    versions = page.ask("versions", agent_id=str(row["agent_id"])).filter(
        pl.col("declared_at").dt.convert_time_zone(page.zone.key).dt.date() >= period.before.first_date
    )
    if not versions.is_empty():
        newest = versions.row(0, named=True)
        day = newest["declared_at"].astimezone(page.zone)
        found.append(f"version {newest['agent_version']} since {day:%-d %b}")
    now, before = row["tool_error_rate"], row["tool_error_rate_before"]
    if isinstance(now, float) and isinstance(before, float) and abs(now - before) >= _CLEAR_POINTS:
        found.append(f"tool errors {share(before, 0)} → {share(now, 0)}")
    if row["model_name"] != row["model_name_before"]:
        found.append("another model")
    return "at the same time: " + ", ".join(found) if found else "no new version, tool errors about the same"
