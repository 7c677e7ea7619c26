"""Who may read texts under a grant: the list, and the forms that grant and end."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.labels import md_escape, moment
from app.live import content
from app.live.content import ContentGrant, Grants
from app.views._parts import acting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "grant_said"
_TIMES = {"an hour": 1, "four hours": 4, "a day": 24, "a week": 7 * 24, "31 days": 31 * 24}


def show_grants(page: Page) -> None:
    """Grants of content, in force first, and the forms for who may decide on them."""
    acting.said(_SAID)
    found = content.grants(page.desk, page.person.person_id)
    st.caption(
        "Roles with read_payload read texts anyway. A grant is decided by another person; it ends at its "
        "time, and each reading is in the log."
    )
    if found.ones:
        _listed(page, found)
    else:
        empty("Nobody has, or had, a grant to read texts.")
    if found.can_end:
        _end(page, found.can_end)
    if found.can_get:
        _give(page, found.can_get)


def _listed(page: Page, found: Grants) -> None:
    rows = pl.DataFrame(
        {
            "person": [page.name_of(one.person_id) for one in found.ones],
            "state": ["in force" if one.is_in_force(found.now) else "over" for one in found.ones],
            "about": [_about(one) for one in found.ones],
            "until": [moment(one.ended_at or one.expires_at, page.zone) for one in found.ones],
            "reason": [one.reason for one in found.ones],
            "by": [page.name_of(one.granted_by) for one in found.ones],
        }
    )
    columns = [
        Column(name="person", heading="Person", width=140, pinned=True),
        Column(name="state", heading="State", width=80),
        Column(name="about", heading="Texts of", width=220),
        Column(name="until", heading="Until", width=160),
        Column(name="reason", heading="Reason", width=300),
        Column(name="by", heading="Decided by", width=140),
    ]
    show(rows, columns, key="grants", zone=page.zone, missing="", alt="Grants of content")


def _about(one: ContentGrant) -> str:
    if one.run_id:
        return f"run {one.run_id}"
    return f"agent {one.agent_id}" if one.agent_id else "all"


def _give(page: Page, people: tuple[str, ...]) -> None:
    with st.form("give_content"):
        st.markdown("**Let somebody read texts for a time**")
        person = st.selectbox("Person", people, format_func=page.name_of)
        about = st.text_input("Texts of this agent or run (empty: all that they may see)", max_chars=100)
        lasts = st.selectbox("For", list(_TIMES), index=2)
        reason = st.text_input("Why", max_chars=500)
        if st.form_submit_button("Grant", icon=":material/key:"):
            hours = dt.timedelta(hours=_TIMES[lasts])
            acting.act(_SAID, lambda: _given(page, person, hours, about, reason))


def _given(page: Page, person: str, lasts: dt.timedelta, about: str, reason: str) -> str:
    done = content.give(page.desk, page.person.person_id, person, lasts, about, reason)
    return (
        f"{md_escape(page.name_of(person))} may read texts ({md_escape(_about(done))}) until "
        f"{moment(done.expires_at, page.zone)}: the event content_granted is in the log."
    )


def _end(page: Page, ones: tuple[ContentGrant, ...]) -> None:
    named = {one.grant_id: f"{page.name_of(one.person_id)}, {_about(one)}" for one in ones}
    with st.form("end_content"):
        st.markdown("**Take a grant back before its time**")
        chosen = st.selectbox("Grant", list(named), format_func=named.__getitem__)
        reason = st.text_input("Why it ends", max_chars=500)
        if st.form_submit_button("End the grant", icon=":material/key_off:"):
            acting.act(_SAID, lambda: _ended(page, chosen, reason))


def _ended(page: Page, grant_id: str, reason: str) -> str:
    done = content.end(page.desk, page.person.person_id, grant_id, reason)
    name = md_escape(page.name_of(done.person_id))
    return f"{name} reads no texts any more: the event content_grant_ended is in the log."
