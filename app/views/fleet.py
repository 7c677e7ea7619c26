"""Fleet: how the fleet does, and where it changes."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import charts
from app.labels import SMALL_N, count, plural
from app.views._parts import behind, comparing, controls, measures, movers, trend
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading, nothing
from app.views._parts.tables import Column, show

SPLIT_WORDS = {"team": "By team", "agent": "By agent", "model": "By model", "fleet": "All together"}
TILES = (
    "runs",
    "success_rate",
    "cost_usd",
    "cost_per_success",
    "machine_p50_ms",
    "machine_p95_ms",
    "tool_error_rate",
    "approval_rate",
)


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Fleet", "How is the fleet doing, and where is it changing?")
    page.built()
    if page.run_days() is None:
        nothing(
            "No runs yet. Import runs, or run an agent, then build.", 'run <agent> "<task>" --as <person>'
        )
    left, middle, right = st.columns([3, 2, 1], vertical_alignment="center")
    with left:
        period = controls.period(page)
    with middle:
        period = comparing.compared(page, period)
    with right:
        team = controls.team(page)
    measures.row(page, TILES, period, shows_both=True, team_id=team)
    _over_time(page, period, team)
    _outcomes(page, period, team)
    _latency(page, period, team)
    movers.movers(page, period, team)


def _over_time(page: Page, period: Period, team: str | None) -> None:
    offered: list[trend.Split] = ["team", "agent", "model", "fleet"]
    if len(page.teams_seen) < 2 or team:
        offered.remove("team")
    with st.container(border=True):
        name = controls.one_of(
            "Measure", "measure", list(trend.MEASURES), "runs", lambda key: trend.MEASURES[key].label
        )
        chosen = controls.one_of("Split", "split", offered, offered[0], SPLIT_WORDS.__getitem__)
        split: trend.Split = next(one for one in offered if one == chosen)
        trend.show(page, "over_time", name, period, split, team_id=team)


def _outcomes(page: Page, period: Period, team: str | None) -> None:
    days = {"first_date": period.first_date, "last_date": period.last_date}
    rows = page.ask("series", by="fleet", **days, team_id=team)
    counts = {name: int(rows[name].sum()) for name in charts.OUTCOMES}
    st.subheader("How runs ended", anchor=False)
    if not sum(counts.values()):
        empty("No run ended in this period. Choose a longer one.")
        return
    behind.chart(
        behind.question(
            page, "outcomes", "How runs ended", "series", {"by": "fleet", **days, "team_id": team}
        ),
        charts.shares(counts, page.colours),
        caption=charts.OUTCOMES_READ,
    )


def _latency(page: Page, period: Period, team: str | None) -> None:
    """Machine time, waits for people and queue apart: a wait for a person is no slow machine."""
    days = {"first_date": period.first_date, "last_date": period.last_date}
    rows = page.ask("latency", **days, team_id=team)
    if rows.is_empty():
        return
    st.subheader("Where the time goes", anchor=False)
    small = rows.with_columns(is_small=pl.col("runs_with") < SMALL_N)
    columns = [
        Column(name="part", heading="Part"),
        Column(name="runs_with", heading="Runs with any", kind="count"),
        Column(name="p50_ms", heading="Median of those", kind="duration", grey_when="is_small"),
        Column(name="p95_ms", heading="95 % take at most", kind="duration", grey_when="is_small"),
        Column(name="time_share", heading="Share of all time", kind="share"),
    ]
    show(small, columns, key="latency", zone=page.zone, missing="none", alt="Where the time goes")
    runs, known = (int(rows[name].min() or 0) for name in ("runs", "runs_known"))  # type: ignore[arg-type]  # whole numbers
    unknown = f", {count(runs - known)} without known times" if runs > known else ""
    st.caption(f"{plural(runs, 'run')} that ended in the period{unknown}; grey: fewer than {SMALL_N} runs.")


if __name__ == "__main__":
    render()
