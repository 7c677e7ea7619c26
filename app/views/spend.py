"""Spend: what was it spent on? Costs of a period from the build by agent, model or team, and refusals."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import charts
from app.labels import change, count, md_escape, money, plural
from app.views._parts import behind, controls, measures
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.restated import show_restated
from app.views._parts.tables import Column, show

TILES = ("cost_usd", "cost_per_run", "cost_per_success", "unknown_cost_share")
SPLITS = {"agent": "By agent", "model": "By model", "team": "By team"}
MOST = 12


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Spend", "What was the money spent on?")
    page.built()
    period = controls.period(page)
    measures.row(page, TILES, period)
    _spenders(page, period)
    show_restated(page, period)
    _refusals(page, period)


def _spenders(page: Page, period: Period) -> None:
    names = dict(SPLITS) if len(page.teams_seen) > 1 else {key: SPLITS[key] for key in ("agent", "model")}
    by = controls.one_of("Split", "by", list(names), "agent", names.__getitem__)
    days = {"first_date": period.first_date, "last_date": period.last_date}
    rows = page.ask("spend", by=by, **days)
    known = rows.filter(pl.col("cost_usd").is_not_null() & (pl.col("cost_usd") > 0)).head(MOST)
    if known.is_empty():
        empty("No model call with a known cost in this period. Choose a longer one.")
        return
    labels, colours = _bars(page, known, by)
    amounts = known["cost_usd"].cast(pl.Float64).to_list()
    figure = charts.ranked(labels, amounts, page.colours, bar_colours=colours)
    total, before = (float(rows[name].cast(pl.Float64).sum()) for name in ("cost_usd", "previous_cost_usd"))
    unknown = int(rows["unknown_charges"].sum())
    colour = "; bars have the colour of the agent's team" if by == "agent" else ""
    rest = f", the largest {MOST} above" if rows.height > MOST else ""
    moved = change(total, before)
    told = (
        f"{money(total)} in {plural(int(rows['charges'].sum()), 'charge')}{rest}"
        f"{f', {moved} against {period.before.words}' if moved else ''}. "
        f"{count(unknown)} charges have an unknown cost and are not in it. Charges count on the day of the "
        f"model call, the tiles on the day a run ended{colour}."
    )
    source = behind.question(page, "spenders", "Who spent most", "spend", {"by": by, **days})
    behind.chart(source, figure, caption=told)


def _bars(page: Page, rows: pl.DataFrame, by: str) -> tuple[list[str], list[str]]:
    """Label and colour of each bar; an agent has the colour of its team."""
    keys = [str(key) if key else "" for key in rows["series"]]
    if by == "team":
        return [page.team(key) for key in keys], [
            page.team_colours.get(key, page.colours.off) for key in keys
        ]
    if by == "model":
        return [key or "model not stated" for key in keys], [page.colours.accent] * len(keys)
    agents = {row["agent_id"]: row for row in page.ask("agents").iter_rows(named=True)}
    names = [str((agents.get(key) or {}).get("agent_name") or key or "no agent") for key in keys]
    teams = [str((agents.get(key) or {}).get("team_id") or "") for key in keys]
    return names, [page.team_colours.get(team, page.colours.off) for team in teams]


def _refusals(page: Page, period: Period) -> None:
    st.subheader("Refused requests", anchor=False)
    rows = page.ask("refusals", first_date=period.first_date, last_date=period.last_date, limit=200)
    if rows.is_empty():
        empty("No request was refused in this period.")
        return
    rules = rows.group_by("refusal_rule").len().sort("len", descending=True).rows()
    st.caption(
        f"{plural(int(rows['total_count'][0]), 'request')} stopped before a run started; "
        f"a refusal is no failed run. By rule, of the newest {rows.height}: "
        + ", ".join(f"{md_escape(rule)} {n:,}" for rule, n in rules)
        + "."
    )
    who = rows.with_columns(who=page.named("actor_id"), agent=pl.col("agent_id").replace(page.agent_names()))
    columns = [
        Column(name="refused_at", heading="When", kind="time", width=140),
        Column(name="agent", heading="Agent", width=150),
        Column(name="who", heading="For", width=115),
        Column(name="refusal_rule", heading="Rule", width=130),
        Column(name="reason", heading="Reason"),
    ]
    show(who, columns, key="refusals", zone=page.zone, height="auto", alt="Refused requests")


if __name__ == "__main__":
    render()
