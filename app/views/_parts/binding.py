"""The EU AI Act binder of a month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl
import streamlit as st

from app.labels import md_escape
from app.live import binder
from app.live.binder import Kept
from app.views._parts import acting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "binder_said"
_LONG = 460  # a long table scrolls, so that what is chosen in it stands below in sight


def show_binder(page: Page, month: dt.date) -> None:
    """What is kept of the month, and the button that makes it anew."""
    acting.said(_SAID)
    kept = binder.kept(page.desk, month)
    if kept is None:
        empty("There is no binder of this month yet.", f"binder --month {month:%Y-%m}")
    else:
        _kept(page, kept, month)
    if binder.may_make(page.desk, page.person.person_id):
        label = "Make the binder" if kept is None else "Make the binder again"
        if st.button(label, icon=":material/menu_book:", key="make_binder"):
            acting.act(_SAID, lambda: _make(page, month))


def _kept(page: Page, kept: Kept, month: dt.date) -> None:
    gaps = [line for line in kept.lines if line["result"] == "GAP"]
    box = st.warning if gaps else st.success
    box(f"**{md_escape(kept.sentence)}**", icon=":material/report:" if gaps else ":material/check_circle:")
    st.caption(
        "Evidence, not a certificate: the Regulation's text decides. Applies from: "
        + " · ".join(md_escape(told) for told in kept.applies)
    )
    order = {"GAP": 0, "EVIDENCE": 1}
    lines = sorted(kept.lines, key=lambda line: order.get(line["result"] or "", 2))
    rows = pl.DataFrame(
        {
            "article": [line["article"] for line in lines],
            "result": [line["result"] for line in lines],
            "title": [line["title"] for line in lines],
            "said": [line["gap"] or line["evidence"] for line in lines],
            "owner": [page.name_of(line["owner_id"]) if line["owner_id"] else "nobody" for line in lines],
        }
    )
    columns = [
        Column(name="article", heading="Article", width=110, pinned=True, opens=True),
        Column(name="result", heading="Result", width=100),
        Column(name="title", heading="What it asks", width=340),
        Column(name="said", heading="Missing, or what answers it", width=380),
        Column(name="owner", heading="Owner", width=140),
    ]
    clicked = show(
        rows, columns, key="binder_lines", zone=page.zone, height=_LONG, missing="", alt="Requirements"
    )
    wanted = st.query_params.get("requirement")
    if clicked is not None:
        wanted = str(lines[clicked]["requirement_id"])
        st.query_params["requirement"] = wanted
    for line in lines:
        if line["requirement_id"] == wanted:
            _requirement(line)
    if page.scope.team_ids is None:
        st.download_button(
            "Binder (PDF)",
            kept.report.read_bytes(),
            file_name=f"eu-ai-act-binder-{month:%Y-%m}.pdf",
            mime="application/pdf",
            icon=":material/picture_as_pdf:",
            on_click="ignore",
        )


def _requirement(line: Mapping[str, str | None]) -> None:
    with st.container(border=True):
        st.markdown(f"**Article {md_escape(line['article'] or '')}** {md_escape(line['title'] or '')}")
        st.caption(f"Binds: {line['binds']}")
        for heading, name in (
            ("Asks", "asks"),
            ("Missing", "gap"),
            ("Evidence", "evidence"),
            ("Does not show", "limit"),
        ):
            if line[name]:
                st.markdown(f"*{heading}:* {md_escape(line[name] or '')}")
        also = " · ".join(line[name] or "" for name in ("iso_42001", "nist_ai_rmf", "soc_2") if line[name])
        st.caption(f"See also ISO/IEC 42001, NIST AI RMF, SOC 2: {md_escape(also)}")


def _make(page: Page, month: dt.date) -> str:
    gaps = binder.make(page.desk, page.person.person_id, month)
    return f"The binder of {month:%Y-%m} is made: the event binder_made is in the log; {gaps} gaps."
