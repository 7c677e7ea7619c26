"""What needs a person today, and which agents moved most: the two lists of the overview."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import ago, md_escape, plural, share
from app.views._parts.controls import Period
from app.views._parts.page import Page, empty, open_agent
from app.views._parts.tables import Column, show

# Share of a wallet from which the overview names it.
WALLET_WARNING = 0.8


def needs(page: Page) -> None:
    """What waits for a person now, from the live side."""
    if not page.shows_live:
        return
    waiting = [one for one in page.desk.approvals(page.person.person_id) if one.status == "waiting"]
    short = [
        wallet
        for wallet in page.desk.wallets(page.person.person_id)
        if wallet.cap_usd and (wallet.spent_usd + wallet.held_usd) / wallet.cap_usd >= WALLET_WARNING
    ]
    if not waiting and not short:
        st.caption(":material/check: Nothing waits: no open approval, no wallet above 80 %.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if waiting:
            oldest = (page.now - min(one.requested_at for one in waiting)).total_seconds()
            risky = sum(one.risk_class == "high" for one in waiting)
            st.page_link(
                "views/approvals.py",
                label=f"**{plural(len(waiting), 'approval waits', 'approvals wait')}** "
                f"(oldest {ago(oldest)}, {risky} high risk)",
                icon=":material/approval:",
            )
        for wallet in short[:3]:
            used = (wallet.spent_usd + wallet.held_usd) / (wallet.cap_usd or 1)
            st.page_link(
                "views/spend.py",
                label=f"**{md_escape(page.owner(wallet))} wallet** {share(used, 0)} used",
                icon=":material/account_balance_wallet:",
            )


def movers(page: Page, period: Period, team: str | None) -> None:
    """Agents whose success rate moved most against the period before, both with enough runs."""
    now, before = (
        page.ask("agents", first_date=span.first_date, last_date=span.last_date, team_id=team).filter(
            ~pl.col("is_small")
        )
        for span in (period, period.before)
    )
    moved = (
        now.join(before, on="agent_id", suffix="_before")
        .with_columns(
            moved=pl.col("success_rate") - pl.col("success_rate_before"),
            name=pl.coalesce("agent_name", "agent_id"),
            team=page.teamed("team_id"),
        )
        .sort(pl.col("moved").abs(), descending=True)
        .head(6)
    )
    st.subheader("What moved most", anchor=False)
    if moved.is_empty():
        empty(
            f"No agent has 20 runs both in this period and in {period.before.words}. Choose a longer period."
        )
        return
    clicked = show(
        moved,
        [
            Column(name="name", heading="Agent", opens=True, width=220),
            Column(name="team", heading="Team"),
            Column(name="success_rate_before", heading="Success before", kind="share"),
            Column(name="success_rate", heading="Success now", kind="share"),
            Column(name="moved", heading="Change", kind="points"),
            Column(name="cost_per_run_usd_before", heading="Cost per run before", kind="money"),
            Column(name="cost_per_run_usd", heading="Cost per run now", kind="money"),
            Column(name="runs", heading="Runs", kind="count"),
        ],
        key="movers",
        zone=page.zone,
        alt="Agents whose success rate moved most",
    )
    if clicked is not None:
        open_agent(moved["agent_id"][clicked])
