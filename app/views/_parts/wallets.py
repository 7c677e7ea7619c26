"""Wallets as they are enforced now: spent, held and free as one bar each, a table, and the holds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl
import streamlit as st

from app import charts
from app.desk import Wallet
from app.labels import md_escape, moment, money, plural, share
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show


def show_wallets(page: Page, wallets: Sequence[Wallet]) -> None:
    """One bar per team wallet, fullest first; below it every wallet and every hold."""
    teams = [wallet for wallet in wallets if wallet.wallet_kind == "team"]
    if not wallets:
        empty("No wallet within your scope. Budgets are declared in registry.yaml.", "registry apply")
        return
    capped = [wallet for wallet in teams if wallet.cap_usd is not None]
    if capped:
        st.markdown(_sentence(page, capped))
        fullest_first = sorted(capped, key=_used, reverse=True)
        bars = [_bar(page, wallet) for wallet in fullest_first]
        st.plotly_chart(charts.wallets(bars, page.colours), config=charts.CONFIG, key="wallets")
    agents = [wallet for wallet in wallets if wallet.wallet_kind != "team"]
    every, held = st.tabs([f"All wallets ({len(wallets)})", f"Holds ({sum(len(w.holds) for w in wallets)})"])
    with every:
        _table(page, [*teams, *agents])
    with held:
        _holds(page, wallets)


def _sentence(page: Page, wallets: Sequence[Wallet]) -> str:
    """The answer in one line: what all team wallets hold, and which ends first."""
    spent, held = sum(w.spent_usd for w in wallets), sum(w.held_usd for w in wallets)
    cap = sum(w.cap_usd or 0 for w in wallets)
    fullest = max(wallets, key=_used)
    return (
        f"**{money(spent)}** spent and {money(held)} held of {money(cap)} in "
        f"{plural(len(wallets), 'team wallet')}. Fullest: **{md_escape(page.owner(fullest))}**, "
        f"{share(_used(fullest), 0)} used, {money(fullest.free_usd)} free until "
        f"{moment(fullest.window_end, page.zone)}."
    )


def _used(wallet: Wallet) -> Decimal:
    """Share of the cap that is spent or held; 0 for a wallet without a cap."""
    return (wallet.spent_usd + wallet.held_usd) / wallet.cap_usd if wallet.cap_usd else Decimal(0)


def _bar(page: Page, wallet: Wallet) -> charts.WalletBar:
    return charts.WalletBar(
        name=page.owner(wallet),
        spent_usd=float(wallet.spent_usd),
        held_usd=float(wallet.held_usd),
        cap_usd=None if wallet.cap_usd is None else float(wallet.cap_usd),
    )


def _table(page: Page, wallets: Sequence[Wallet]) -> None:
    rows = pl.DataFrame(
        {
            "owner": [page.owner(w) for w in wallets],
            "kind": [w.wallet_kind for w in wallets],
            "window": [w.window for w in wallets],
            "spent": [w.spent_usd for w in wallets],
            "held": [w.held_usd for w in wallets],
            "free": [w.free_usd for w in wallets],
            "cap": [w.cap_usd for w in wallets],
            "used": [_used(w) if w.cap_usd else None for w in wallets],
            "swept": [w.unknown_usd for w in wallets],
            "ends": [w.window_end for w in wallets],
            "reason": [w.reason for w in wallets],
        },
        schema_overrides=dict.fromkeys(("spent", "held", "free", "cap", "used", "swept"), pl.Float64),
    )
    show(
        rows,
        [
            Column(name="owner", heading="Wallet of", width=170),
            Column(name="kind", heading="Kind", width=60),
            Column(name="window", heading="Per", width=65),
            Column(name="used", heading="Used", kind="share", width=75, meaning="(spent + held) ÷ cap."),
            Column(name="spent", heading="Spent", kind="money", width=105),
            Column(
                name="held",
                heading="Held",
                kind="money",
                width=105,
                meaning="Worst case of model calls in flight.",
            ),
            Column(name="free", heading="Free", kind="money", width=105, meaning="cap − spent − held."),
            Column(name="cap", heading="Cap", kind="money", width=110),
            Column(
                name="swept",
                heading="Swept",
                kind="money",
                width=80,
                meaning="Holds of calls whose cost never became known: neither 0 nor spend.",
            ),
            Column(name="ends", heading="Window ends", kind="time", width=140),
            Column(name="reason", heading="Why unlimited"),
        ],
        key="wallet_table",
        zone=page.zone,
        height="auto",
        missing="unlimited",
        alt="Wallets",
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
