"""Asking for the check of a month, and what it says while it is made."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from app.labels import clock, md_escape
from app.live import checking
from app.views._parts import acting
from app.views._parts.page import Page, current

_LOOK_S = 2
_SAID = "check_asked"


def under_way(page: Page) -> None:
    """The check that is being made, to everybody: what it does and how far it is."""
    last = checking.asked_last(page.desk)
    if last is not None and last.is_running:
        _watch()


def ask_for(page: Page) -> None:
    """Offer the months that are over to who may ask; say it when the check asked for last gave no answer."""
    last = checking.asked_last(page.desk)
    if last is not None and last.is_running:
        return
    if last is not None and not last.is_answered:
        st.error(
            f"The check of {last.month:%B %Y} that {md_escape(page.name_of(last.person_id))} asked for at "
            f"{clock(last.asked_at, page.now)} ended without an answer. It said last:",
            icon=":material/error:",
        )
        st.code(last.said or "nothing", language=None, wrap_lines=True)
    if checking.may_ask(page.desk, page.person.person_id):
        _offer(page)


def _offer(page: Page) -> None:
    days = page.run_days() if page.warehouse else None
    months = checking.finished_months(page.desk, days[0] if days else page.now.date(), page.now)
    if not months:
        st.caption("No month with runs is over yet; the first one can be checked when it is.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        month = st.selectbox("Month to check", months, format_func=lambda one: f"{one:%B %Y}", width=220)
        if st.button("Check this month", icon=":material/fact_check:", key="check_month"):
            acting.act(_SAID, lambda: _ask(page, month))


def _ask(page: Page, month: dt.date) -> str:
    checking.ask(page.desk, page.person.person_id, month)
    st.query_params["month"] = f"{month:%Y-%m}"
    return ""  # the line of the check in the making says it


@st.fragment(run_every=_LOOK_S)
def _watch() -> None:
    """The check in the making; the whole page runs anew when it is over."""
    page = current()
    last = checking.asked_last(page.desk)
    if last is None or not last.is_running:
        st.rerun(scope="app")
    seconds = (dt.datetime.now(dt.UTC) - last.asked_at).total_seconds()
    newest = last.said.splitlines()[-1] if last.said else "starting"
    st.info(
        f"Checking {last.month:%B %Y} for {md_escape(page.name_of(last.person_id))}, {seconds:.0f} s so far: "
        f"{md_escape(newest)}  \nThe log is verified, the tables are built as they stood when the month was "
        "over, and all is decided. It goes on when you leave.",
        icon=":material/hourglass_top:",
    )
