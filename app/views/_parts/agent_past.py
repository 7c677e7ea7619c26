"""The past of one agent: what differs between two versions, and what changed when, by whom."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import md_escape, plural
from app.live import versions
from app.views._parts.controls import Period
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show


def difference(page: Page, agent_id: str) -> None:
    """Two versions side by side, field by field: as the registry froze them."""
    if not page.shows_live:
        return
    known = versions.numbers(page.desk, page.person.person_id, agent_id)
    if len(known) < 2:
        return
    st.subheader("What differs", anchor=False)
    left, right = st.columns(2)
    new = left.selectbox("Version", known, key="diff_new")
    older = [number for number in known if number != new]
    old = right.selectbox("against", older, index=_just_before(older, new), key=f"diff_old_{new}")
    if new is None or old is None:
        return
    changes = versions.differences(page.desk, page.person.person_id, agent_id, old, new)
    if not changes:
        empty(f"Version {new} is as version {old}, field by field.")
        return
    rows = pl.DataFrame(
        {
            "field": [change.field for change in changes],
            "before": [change.before for change in changes],
            "after": [change.after for change in changes],
        },
        schema=dict.fromkeys(("field", "before", "after"), pl.String()),
    )
    columns = [
        Column(name="field", heading="Field", width=200, pinned=True),
        Column(name="before", heading=f"Version {old}"),
        Column(name="after", heading=f"Version {new}"),
    ]
    st.caption(f"{plural(len(changes), 'field')} differ; an empty cell is not set.")
    show(rows, columns, key="version_diff", zone=page.zone, missing="", alt="What differs")


def _just_before(older: list[int], new: int | None) -> int:
    """Place of the newest version before ``new``, the first where it is the oldest."""
    return next((place for place, number in enumerate(older) if new is None or number < new), 0)


def history(page: Page, agent_id: str, period: Period) -> None:
    """Everything about the agent, newest first, over all time."""
    rows = page.ask("agent_history", agent_id=agent_id)
    if rows.is_empty():
        empty("Nothing was decided about this agent: it is only seen in events.")
        return
    named = rows.with_columns(
        by=pl.when(pl.col("person_id").is_null()).then(pl.lit("")).otherwise(page.named("person_id"))
    )
    columns = [
        Column(name="happened_at", heading="When", kind="time", width=145),
        Column(name="what", heading="What", width=230),
        Column(name="by", heading="By", width=150),
        Column(name="detail", heading="Detail"),
    ]
    show(named, columns, key="agent_history", zone=page.zone, height="auto", missing="", alt="History")
    st.caption(
        f"{plural(rows.height, 'entry', 'entries')} of all time, whatever the period above: versions, "
        "approvals, status, owners, incidents and assurance, stops. Runs stand under Runs; every event "
        f"itself is in the log (`fleetbook agents versions {md_escape(agent_id)}`)."
    )
