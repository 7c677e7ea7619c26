"""Between reviews: attestations that are due, agents that are idle, and agents nobody answers for."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import md_escape, words
from app.live import attesting, needs
from app.review.idle import idle_agents
from app.review.reading import used_after_retirement, worked_of
from app.views._parts import acting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "attest_said"


def show_between(page: Page) -> None:
    """The three lists, what is due first."""
    acting.said(_SAID)
    st.subheader("Attestations", anchor=False)
    _attestations(page)
    st.subheader("Idle agents", anchor=False)
    _idle(page)
    st.subheader("Retired, and still used elsewhere", anchor=False)
    _still_used(page)
    st.subheader("Nobody answers for them", anchor=False)
    _orphans(page)


def _attestations(page: Page) -> None:
    found = attesting.standings(page.desk, page.person.person_id) if page.shows_live else []
    if not found:
        empty("No agent at work is within your reach here.")
        return
    rows = pl.DataFrame(
        {
            "agent": [one.agent_name for one in found],
            "risk": [one.risk_class for one in found],
            "state": [one.word for one in found],
            "due": [f"{one.due_on:%Y-%m-%d}" if one.due_on else None for one in found],
            "lapses": [f"{one.lapses_on:%Y-%m-%d}" if one.lapses_on else None for one in found],
            "by": [page.name_of(one.attested_by) if one.attested_by else None for one in found],
        },
        schema_overrides=dict.fromkeys(("due", "lapses", "by"), pl.String),
    )
    columns = [
        Column(name="agent", heading="Agent", width=180),
        Column(name="risk", heading="Risk", width=90),
        Column(name="state", heading="State", width=130),
        Column(name="due", heading="Due", width=100),
        Column(name="lapses", heading="Lapses", width=100),
        Column(name="by", heading="Last by", width=140),
    ]
    show(rows, columns, key="attestations", zone=page.zone, missing="–", alt="Attestations", height="auto")
    mine = {one.agent_id: one.agent_name for one in found if one.can_attest}
    if mine:
        with st.form("attest", border=False):
            chosen = st.multiselect(
                "Attest as wanted and as described", list(mine), format_func=mine.__getitem__
            )
            reason = st.text_input("What was looked at", max_chars=300)
            if st.form_submit_button("Attest"):
                acting.act(_SAID, lambda: _attest(page, {one: mine[one] for one in chosen}, reason))


def _attest(page: Page, chosen: dict[str, str], reason: str) -> str:
    for agent_id in chosen:
        attesting.attest(page.desk, page.person.person_id, agent_id, reason)
    return f"Attested: {md_escape(', '.join(chosen.values())) or 'nothing chosen'}."


def _idle(page: Page) -> None:
    worked, today = worked_of(page.scoped(), is_demo=page.is_demo)
    found = idle_agents(worked, today)
    if not found:
        empty("Every agent ran in the last four weeks.")
        return
    rows = pl.DataFrame(
        {
            "agent": [one.agent_name for one in found],
            "team": [page.team(one.team_id) for one in found],
            "last": [f"{one.last_run_on:%Y-%m-%d}" if one.last_run_on else None for one in found],
            "season": ["none" if one.season == "none" else words(one.season) for one in found],
            "why": [one.why for one in found],
        },
        schema_overrides={"last": pl.String},
    )
    columns = [
        Column(name="agent", heading="Agent", width=180),
        Column(name="team", heading="Team", width=100),
        Column(name="last", heading="Last run", width=100),
        Column(name="season", heading="Season", width=140),
        Column(name="why", heading="Because", width=420),
    ]
    show(rows, columns, key="idle", zone=page.zone, missing="never", alt="Idle agents", height="auto")


def _still_used(page: Page) -> None:
    found = used_after_retirement(page.scoped(), is_demo=page.is_demo)
    if not found:
        empty("No retired agent ran after its retirement.")
        return
    names = page.agent_names()
    lines = [
        f"- {md_escape(names.get(one.agent_id, one.agent_id))}: retired on "
        f"{one.retired_at.astimezone(page.zone):%-d %b %Y}, ran on "
        f"{one.last_run_at.astimezone(page.zone):%-d %b %Y} by {md_escape(one.recorded_via)}"
        for one in found
    ]
    st.markdown("\n".join(lines))


def _orphans(page: Page) -> None:
    names = needs.ownerless(page.desk, page.person.person_id) if page.shows_live else []
    if not names:
        empty("Every agent at work has an owner.")
        return
    st.markdown(
        "\n".join(f"- {md_escape(name)}: cannot start until somebody answers for it" for name in names)
    )
