"""Fleet: how the fleet does, and where it changes."""

from __future__ import annotations

import streamlit as st

from app import charts
from app.views._parts import behind, controls, measures, movers, trend
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading, nothing

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
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        period = controls.period(page)
    with right:
        team = controls.team(page)
    measures.row(page, TILES, period, team_id=team)
    _over_time(page, period, team)
    _outcomes(page, period, team)
    movers.movers(page, period, team)


def _over_time(page: Page, period: Period, team: str | None) -> None:
    split: trend.Split = "team" if len(page.teams_seen) > 1 and not team else "agent"
    with st.container(border=True):
        name = controls.one_of(
            "Measure", "measure", list(trend.MEASURES), "runs", lambda key: trend.MEASURES[key].label
        )
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


if __name__ == "__main__":
    render()
