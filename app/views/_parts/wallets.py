"""Wallets as they are enforced now: spent, held and free as one bar each, a table, and the holds."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from app import wallet_chart
from app.desk import Wallet
from app.labels import md_escape, moment, money, plural, share
from app.live.money import Balance
from app.views._parts import behind
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show


def show_wallets(page: Page, balances: Sequence[Balance]) -> None:
    """One bar per team wallet, fullest first; below it every wallet and every hold."""
    teams = [one for one in balances if one.wallet_kind == "team"]
    if not balances:
        empty("No wallet within your scope. Budgets are declared in registry.yaml.", "registry apply")
        return
    if teams:
        st.markdown(_sentence(page, teams))
        bars = [_bar(page, one) for one in teams]
        source = behind.Behind(
            key="wallets",
            label="Wallets of the teams",
            meaning="Each team's wallet in its window: spent, held, cap, and the forecast to its end.",
            source=behind.Live(
                rows=lambda: pl.DataFrame(bars), origin="the control store, as `fleetbook wallets` shows it."
            ),
        )
        figure = wallet_chart.wallets(bars, page.colours)
        behind.chart(source, figure, caption=_forecast(page, balances), is_alone=True)
    wallets = page.desk.wallets(page.person.person_id)
    held = sum(len(one.holds) for one in wallets)
    every, holds = st.tabs([f"All wallets ({len(balances)})", f"Holds ({held})"])
    with every:
        _table(page, balances)
    with holds:
        _holds(page, wallets)


def _sentence(page: Page, teams: Sequence[Balance]) -> str:
    """The answer in one line: the company's total, which is the sum of its teams, and which ends first."""
    spent, held = sum(one.spent_usd for one in teams), sum(one.held_usd for one in teams)
    capped = [one for one in teams if one.cap_usd is not None]
    cap = sum(one.cap_usd or 0 for one in capped)
    total = (
        f"**{money(spent)}** spent and {money(held)} held: the sum of {plural(len(teams), 'team wallet')}"
        f"{f', {len(teams) - len(capped)} of them unlimited' if len(capped) < len(teams) else ''}. "
    )
    if not capped:
        return total
    fullest = capped[0]
    return total + (
        f"Caps add up to {money(cap)}. Fullest: **{md_escape(page.team(fullest.owner_id))}**, "
        f"{share(fullest.used_share, 0)} used, {money(fullest.free_usd)} free until "
        f"{moment(fullest.window_end, page.zone)}."
    )


def _forecast(page: Page, balances: Sequence[Balance]) -> str:
    """Which wallets will end before their window, at the speed so far."""
    short = [one for one in balances if one.is_short and one.projected_at is not None]
    mark = "◆ where a wallet will stand at its window's end, if it is spent as fast as so far; "
    mark += "no mark: too early in its window to tell. "
    if not short:
        return f"{mark}No wallet ends before its window at this speed."
    told = ", ".join(
        f"{md_escape(wallet_name(page, one))} about {moment(one.projected_at, page.zone)}" for one in short
    )
    return f"{mark}Empty before its window ends: {told}."


def wallet_name(page: Page, one: Balance) -> str:
    """Whose wallet it is: the name of the team or of the agent."""
    if one.wallet_kind == "team":
        return page.team(one.owner_id)
    return page.agent_names().get(one.owner_id, one.owner_id)


def _bar(page: Page, one: Balance) -> wallet_chart.WalletBar:
    return wallet_chart.WalletBar(
        name=page.team(one.owner_id),
        spent_usd=float(one.spent_usd),
        held_usd=float(one.held_usd),
        cap_usd=None if one.cap_usd is None else float(one.cap_usd),
        forecast_usd=None if one.window_spend_usd is None else float(one.window_spend_usd),
    )


def _table(page: Page, balances: Sequence[Balance]) -> None:
    amounts = ("spent", "held", "free", "cap", "used", "swept", "raised", "forecast")
    rows = pl.DataFrame(
        {
            "owner": [wallet_name(page, one) for one in balances],
            "kind": [f"{one.wallet_kind}, {one.window}" for one in balances],
            "used": [one.used_share for one in balances],
            "spent": [one.spent_usd for one in balances],
            "held": [one.held_usd for one in balances],
            "free": [one.free_usd for one in balances],
            "cap": [one.cap_usd for one in balances],
            "forecast": [one.window_spend_usd for one in balances],
            "empty_at": [one.projected_at for one in balances],
            "passed": [f"{one.threshold_percent} %" if one.threshold_percent else "" for one in balances],
            "raised": [one.raised_usd for one in balances],
            "swept": [one.unknown_usd for one in balances],
            "ends": [one.window_end for one in balances],
            "reason": [one.reason for one in balances],
        },
        schema_overrides={**dict.fromkeys(amounts, pl.Float64), "empty_at": pl.Datetime(time_zone="UTC")},
    )
    show(rows, _COLUMNS, key="wallet_table", zone=page.zone, height="auto", missing="–", alt="Wallets")
    st.caption("– in free and cap: unlimited; in forecast and empty: unlimited, or too early to tell.")


_COLUMNS = (
    Column(name="owner", heading="Wallet of", width=150, pinned=True),
    Column(name="kind", heading="Kind", width=105),
    Column(name="used", heading="Used", kind="share", width=75, meaning="(spent + held) ÷ cap."),
    Column(name="spent", heading="Spent", kind="money", width=105),
    Column(name="held", heading="Held", kind="money", width=95, meaning="Worst case of calls in flight."),
    Column(name="free", heading="Free", kind="money", width=105, meaning="cap − spent − held."),
    Column(name="cap", heading="Cap", kind="money", width=110, meaning="With the raises in force."),
    Column(
        name="forecast",
        heading="At window's end",
        kind="money",
        width=125,
        meaning="Spend at the window's end at the speed so far.",
    ),
    Column(name="empty_at", heading="Empty", kind="time", width=145, meaning="At the same speed."),
    Column(name="passed", heading="Passed", width=70, meaning="Highest threshold of the cap passed."),
    Column(name="raised", heading="Raised by", kind="money", width=90, meaning="In the cap for a time."),
    Column(
        name="swept",
        heading="Swept",
        kind="money",
        width=80,
        meaning="Holds of calls whose cost never became known: neither 0 nor spend.",
    ),
    Column(name="ends", heading="Window ends", kind="time", width=140),
    Column(name="reason", heading="Why unlimited"),
)


def _holds(page: Page, wallets: Sequence[Wallet]) -> None:
    holds = [(wallet, hold) for wallet in wallets for hold in wallet.holds]
    if not holds:
        empty("No money is held: no model call is in flight.")
        return
    rows = pl.DataFrame(
        {
            "owner": [page.owner(wallet) for wallet, _ in holds],
            "run": [hold.run_id for _, hold in holds],
            "held": [hold.amount_usd for _, hold in holds],
            "age": [hold.age_s for _, hold in holds],
        },
        schema_overrides={"held": pl.Float64, "age": pl.Float64},
    )
    columns = [
        Column(name="owner", heading="Wallet of", width=190),
        Column(name="held", heading="Held", kind="money", width=115),
        Column(name="age", heading="For", kind="ago", width=100),
        Column(name="run", heading="Run"),
    ]
    show(rows, columns, key="holds", zone=page.zone, height="auto", alt="Holds")
