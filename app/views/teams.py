"""Teams and budgets: who spends what, and will it last? Wallets, raises and runs in flight, live."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.labels import money, plural
from app.live import money as live
from app.live.money import Balance
from app.views._parts import burn, controls, raising
from app.views._parts.flight import runs_in_flight
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.tables import Column, show
from app.views._parts.wallets import show_wallets

REFRESH_S = 10


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Teams and budgets", "Who spends what, and will it last?")
    if not page.shows_live:
        empty("The wallets of this workspace are demo data. Choose Demo under Rows to see them.")
        return
    raising.said()
    _live()
    raising.ask_form(page, live.balances(page.desk, page.person.person_id))
    if page.warehouse is not None:
        _inside(page)


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    page = current()
    wallets = live.balances(page.desk, page.person.person_id)
    show_wallets(page, wallets)
    if page.warehouse is not None and wallets:
        st.caption(_against_build(page, wallets))
    raising.requests(page, live.raises_seen(page.desk, page.person.person_id))
    runs_in_flight(page)


def _against_build(page: Page, wallets: list[Balance]) -> str:
    """The same sum from the build's charges: two books, one number."""
    teams = [one for one in wallets if one.wallet_kind == "team" and one.window == "month"]
    if not teams:
        return "No team wallet per month to compare with the build."
    first = min(one.window_start for one in teams).astimezone(page.zone).date()
    rows = page.ask("spend", by="team", first_date=first, last_date=page.newest_date())
    owners = [one.owner_id for one in teams]
    known = rows.filter(pl.col("series").is_in(owners))["cost_usd"].drop_nulls()
    built = sum(known.to_list(), start=0)
    live_sum = sum(one.spent_usd for one in teams)
    return (
        f"Monthly team wallets spent {money(live_sum)}; the charges of the build since {first:%-d %b} add up "
        f"to {money(built)}. Wallets also count runs after the build, and spend recorded by hand."
    )


def _inside(page: Page) -> None:
    """One team's month by day against its cap, and the agents and models that spent it."""
    st.subheader("Inside a team", anchor=False)
    team = controls.one_of_many("Team inside", "inside", page.teams_seen) if page.teams_seen else None
    if team is None:
        empty("No team within your scope.")
        return
    wallets = live.balances(page.desk, page.person.person_id)
    own = next((one for one in wallets if one.wallet_kind == "team" and one.owner_id == team), None)
    last = page.newest_date()
    first = (
        own.window_start.astimezone(page.zone).date()
        if own and own.window == "month"
        else last.replace(day=1)
    )
    burn.show_burn(page, team, own, first, last)
    left, right = st.columns(2)
    for column, by, head in ((left, "agent", "Agent"), (right, "model", "Model")):
        with column:
            _spenders(page, team, by, head, first, last)


def _spenders(page: Page, team: str, by: str, head: str, first: dt.date, last: dt.date) -> None:
    rows = page.ask("spend", by=by, team_id=team, first_date=first, last_date=last)
    named = rows.with_columns(
        name=pl.col("series").replace(page.agent_names() if by == "agent" else {}).fill_null("not stated")
    )
    columns = [
        Column(name="name", heading=head),
        Column(name="cost_usd", heading="Cost", kind="money", width=110),
        Column(name="charges", heading="Calls", kind="count", width=80),
        Column(
            name="unknown_charges",
            heading="Cost unknown",
            kind="count",
            width=100,
            meaning="Calls whose cost is unknown: not in the sum, and not 0.",
        ),
    ]
    show(named, columns, key=f"inside_{by}", zone=page.zone, height="auto", alt=f"{head}s of the team")
    st.caption(f"{plural(rows.height, head.lower())} since {first:%-d %b}.")


if __name__ == "__main__":
    render()
