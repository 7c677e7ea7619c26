"""Past spend at other list prices beside what was recorded, where somebody had it priced again."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import clock, md_escape, money, plural
from app.views._parts.controls import Period
from app.views._parts.page import Page
from app.views._parts.tables import Column, show


def show_restated(page: Page, period: Period) -> None:
    """One line per model; nothing where no restatement covers the period."""
    rows = page.ask("restated", first_date=period.first_date, last_date=period.last_date)
    if rows.is_empty():
        return
    st.subheader("At other list prices", anchor=False)
    st.caption(_told(page, rows))
    columns = [
        Column(name="provider_name", heading="Provider", width=110),
        Column(name="model_name", heading="Model"),
        Column(name="calls", heading="Calls", kind="count", width=80),
        Column(name="recorded_cost_usd", heading="Recorded", kind="money", width=110),
        Column(name="restated_cost_usd", heading="Restated", kind="money", width=110),
        Column(name="difference_usd", heading="Difference", kind="money", width=110),
        Column(name="newly_priced_cost_usd", heading="Newly priced", kind="money", width=120),
        Column(name="unpriced_calls", heading="Still unknown", kind="count", width=120),
    ]
    show(rows, columns, key="restated", zone=page.zone, height="auto", alt="Spend at other list prices")


def _told(page: Page, rows: pl.DataFrame) -> str:
    newest = rows.sort("restated_at", descending=True).row(0, named=True)
    then, now = (float(rows[f"{cost}_cost_usd"].cast(pl.Float64).sum()) for cost in ("recorded", "restated"))
    new, unknown = int(rows["newly_priced_calls"].sum()), int(rows["unpriced_calls"].sum())
    return (
        f"{money(now)} in place of {money(then)} for the calls whose list cost is known both times; "
        f"{plural(new, 'call')} without a recorded price can be priced now, the cost of "
        f"{plural(unknown, 'call')} stays unknown. Priced again {clock(newest['restated_at'], page.now)} by "
        f"{md_escape(page.name_of(newest['restated_by']))}: {md_escape(str(newest['reason']))} "
        "What was recorded stays: wallets and all other numbers keep the cost of the day."
    )
