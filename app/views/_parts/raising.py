"""Temporary raises of a cap: those that wait with their decision, those made, and asking for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import polars as pl
import streamlit as st

from app.labels import ago, md_escape, moment, money
from app.live import money as live
from app.live.money import Balance, RaiseRow
from app.views._parts import acting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "raise_said"


def said() -> None:
    """Say what the last click wrote, once, after the rerun that follows it."""
    acting.said(_SAID)


def requests(page: Page, rows: Sequence[RaiseRow]) -> None:
    """Requests that wait, each with its decision; below them what became of the others."""
    st.subheader("Temporary raises", anchor=False)
    waiting = [one for one in rows if one.status == "waiting"]
    for one in waiting:
        _request(page, one)
    rest = [one for one in rows if one.status != "waiting"]
    if not rows:
        empty("No raise was asked for. A raise lifts a cap for a time and goes back by itself.")
    if rest:
        _done(page, rest)


def ask_form(page: Page, wallets: Sequence[Balance]) -> None:
    """Ask for more in one of the wallets the person sees; somebody else decides."""
    capped = {one.wallet_id: one for one in wallets if not one.is_unlimited}
    if not capped:
        return
    with st.expander("Ask for a raise", icon=":material/add_card:"), st.form("ask_raise", border=False):
        wallet = st.selectbox(
            "Wallet",
            list(capped),
            format_func=lambda key: f"{_owner(page, capped[key])} per {capped[key].window}",
        )
        by = st.number_input("By how much, USD", min_value=0.01, value=10.0, step=1.0, format="%.2f")
        until = st.date_input(
            "Until the end of", value=page.now.astimezone(page.zone).date() + dt.timedelta(days=7)
        )
        reason = st.text_input("Reason for the raise", max_chars=300)
        if st.form_submit_button("Ask for this raise") and wallet is not None:
            acting.act(_SAID, lambda: _ask(page, str(wallet), by, until, reason))


def _ask(page: Page, wallet_id: str, by: float, until: dt.date, reason: str) -> str:
    midnight = dt.datetime.combine(until + dt.timedelta(days=1), dt.time(), page.zone)
    amount = Decimal(str(by)).quantize(Decimal("0.01"))
    raise_id = live.ask_raise(
        page.desk, page.person.person_id, wallet_id, amount, midnight.astimezone(dt.UTC), reason
    )
    return f"Asked for: raise {raise_id[-12:]} waits for somebody else to decide it; the log says so."


def _request(page: Page, one: RaiseRow) -> None:
    with st.container(border=True):
        age = ago((dt.datetime.now(dt.UTC) - one.requested_at).total_seconds())
        st.markdown(
            f"**{md_escape(page.name_of(one.requested_by))}** asks for **{money(one.amount_usd)}** more for "
            f"**{md_escape(_owner(page, one))}** until {moment(one.expires_at, page.zone)} · {age} ago"
        )
        st.caption(f"Reason: {md_escape(one.reason)}")
        if not one.can_decide:
            st.caption(f":material/lock: You do not decide it: {md_escape(one.cannot_reason)}.")
            return
        with st.form(f"raise_{one.raise_id}", border=False):
            reason = st.text_input("Reason for the decision", max_chars=300)
            with st.container(horizontal=True):
                approved = st.form_submit_button("Approve this raise", type="primary")
                rejected = st.form_submit_button("Reject this raise")
        if approved or rejected:
            acting.act(_SAID, lambda: _decide(page, one, approved, reason))


def _decide(page: Page, one: RaiseRow, is_approved: bool, reason: str) -> str:
    status = live.decide_raise(
        page.desk, page.person.person_id, one.raise_id, is_approved=is_approved, reason=reason
    )
    return f"The raise of {money(one.amount_usd)} is {status}; the log says so."


def _done(page: Page, rows: Sequence[RaiseRow]) -> None:
    table = pl.DataFrame(
        {
            "owner": [_owner(page, one) for one in rows],
            "amount": [one.amount_usd for one in rows],
            "status": [one.status for one in rows],
            "until": [one.expires_at for one in rows],
            "by": [page.name_of(one.requested_by) for one in rows],
            "decided": [page.name_of(one.decided_by) for one in rows],
            "reason": [one.reason for one in rows],
        },
        schema_overrides={"amount": pl.Float64},
    )
    columns = [
        Column(name="owner", heading="Wallet of", width=150),
        Column(name="amount", heading="More", kind="money", width=105),
        Column(name="status", heading="State", width=90),
        Column(name="until", heading="Until", kind="time", width=140),
        Column(name="by", heading="Asked by", width=120),
        Column(name="decided", heading="Decided by", width=120),
        Column(name="reason", heading="Reason"),
    ]
    show(table, columns, key="raises_done", zone=page.zone, height="auto", alt="Raises")


def _owner(page: Page, one: Balance | RaiseRow) -> str:
    """Whose wallet it is: the name of the team or of the agent."""
    if one.wallet_kind == "team":
        return page.team(one.owner_id)
    return page.agent_names().get(one.owner_id, one.owner_id)
