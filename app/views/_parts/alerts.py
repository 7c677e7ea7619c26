"""Alerts that are raised, each with who looks after it, or the form to say that you do."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.labels import ago, md_escape, plural
from app.live import alerts
from app.live.alerts import Incident
from app.views._parts import acting
from app.views._parts.page import Page

_SAID = "alerts_said"
_SHOWN = 5


def show_alerts(page: Page) -> None:
    """The raised alerts within the person's reach; nothing where none is."""
    acting.said(_SAID)
    if not page.shows_live:
        return
    try:
        found = alerts.raised(page.desk, page.person.person_id)
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=":material/error:")
        return
    if not found:
        return
    unseen = sum(one.acknowledged_by is None for one in found)
    st.subheader(f"{plural(len(found), 'alert')} raised, {unseen} unseen", anchor=False)
    waiting = sorted(found, key=lambda one: one.acknowledged_by is not None)
    for one in waiting[:_SHOWN]:
        with st.container(border=True, gap="xsmall"):
            _incident(page, one)
    if len(waiting) > _SHOWN:
        st.caption(f"{len(waiting) - _SHOWN} more: `fleetbook alerts list`.")


def _incident(page: Page, one: Incident) -> None:
    st.markdown(f":material/notifications_active: **{md_escape(one.title)}**")
    told = f"`{one.alert_id}` · raised {ago((page.now - one.raised_at).total_seconds())} ago"
    if one.acknowledged_by is not None:
        since = _since(one.acknowledged_at, page.now)
        said = f": {md_escape(one.acknowledgement)}" if one.acknowledgement else ""
        st.caption(f"{told} · {md_escape(page.name_of(one.acknowledged_by))} looks after it{since}{said}")
        return
    st.caption(f"{told} · ends by itself when its cause does")
    with st.form(f"alert_{one.alert_incident_id}", border=False):
        reason = st.text_input(
            "What you do about it",
            max_chars=300,
            placeholder="What you do about it; may be left out",
            label_visibility="collapsed",
        )
        if st.form_submit_button("I look after it", icon=":material/visibility:"):
            acting.act(_SAID, lambda: _acknowledge(page, one, reason), icon=":material/block:")


def _since(moment: dt.datetime | None, now: dt.datetime) -> str:
    return f" since {ago((now - moment).total_seconds())}" if moment else ""


def _acknowledge(page: Page, one: Incident, reason: str) -> str:
    alerts.acknowledge(page.desk, page.person.person_id, one.alert_incident_id, reason)
    return f"Recorded in the log: you look after `{one.alert_id}`."
