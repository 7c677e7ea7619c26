"""Spend: who spends what, and will it last? Wallets live, spend of the period from the build, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl
import streamlit as st

from app import charts
from app.desk import Wallet
from app.labels import change, count, md_escape, moment, money, plural, share
from app.views._parts import controls, measures
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.tables import Column, show

TILES = ("cost_usd", "cost_per_run", "cost_per_success", "unknown_cost_share")
SPLITS = {"agent": "By agent", "model": "By model", "team": "By team"}
MOST = 12


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Spend", "Who spends what, and will it last?")
    if page.shows_live:
        _wallets(page, page.desk.wallets(page.person.person_id))
    else:
        empty("The wallets of this workspace are demo data. Choose Demo under Rows to see them.")
    page.built()
    st.subheader("Spend of the period", anchor=False)
    period = controls.period(page)
    now = measures.row(page, TILES, period)
    _spenders(page, period)
    _refusals(page, period)
    measures.definitions(page, list(now), period)


def _wallets(page: Page, wallets: Sequence[Wallet]) -> None:
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


def _spenders(page: Page, period: Period) -> None:
    names = dict(SPLITS) if len(page.teams_seen) > 1 else {key: SPLITS[key] for key in ("agent", "model")}
    by = controls.one_of("Split", "by", list(names), "agent", names.__getitem__)
    rows = page.ask("spend", by=by, first_date=period.first_date, last_date=period.last_date)
    known = rows.filter(pl.col("cost_usd").is_not_null() & (pl.col("cost_usd") > 0)).head(MOST)
    if known.is_empty():
        empty("No model call with a known cost in this period. Choose a longer one.")
        return
    labels, colours = _bars(page, known, by)
    amounts = known["cost_usd"].cast(pl.Float64).to_list()
    st.plotly_chart(
        charts.ranked(labels, amounts, page.colours, bar_colours=colours),
        config=charts.CONFIG,
        key="spenders",
    )
    total, before = (float(rows[name].cast(pl.Float64).sum()) for name in ("cost_usd", "previous_cost_usd"))
    unknown = int(rows["unknown_charges"].sum())
    colour = "; bars have the colour of the agent's team" if by == "agent" else ""
    rest = f", the largest {MOST} above" if rows.height > MOST else ""
    moved = change(total, before)
    st.caption(
        f"{money(total)} in {plural(int(rows['charges'].sum()), 'charge')}{rest}"
        f"{f', {moved} against {period.before.words}' if moved else ''}. "
        f"{count(unknown)} charges have an unknown cost and are not in it. Charges count on the day of the "
        f"model call, the tiles on the day a run ended{colour}."
    )


def _bars(page: Page, rows: pl.DataFrame, by: str) -> tuple[list[str], list[str]]:
    """Label and colour of each bar; an agent has the colour of its team."""
    keys = [str(key) if key else "" for key in rows["series"]]
    if by == "team":
        return [page.team(key) for key in keys], [
            page.team_colours.get(key, page.colours.off) for key in keys
        ]
    if by == "model":
        return [key or "model not stated" for key in keys], [page.colours.accent] * len(keys)
    agents = {row["agent_id"]: row for row in page.ask("agents").iter_rows(named=True)}
    names = [str((agents.get(key) or {}).get("agent_name") or key or "no agent") for key in keys]
    teams = [str((agents.get(key) or {}).get("team_id") or "") for key in keys]
    return names, [page.team_colours.get(team, page.colours.off) for team in teams]


def _refusals(page: Page, period: Period) -> None:
    st.subheader("Refused requests", anchor=False)
    rows = page.ask("refusals", first_date=period.first_date, last_date=period.last_date, limit=200)
    if rows.is_empty():
        empty("No request was refused in this period.")
        return
    rules = rows.group_by("refusal_rule").len().sort("len", descending=True).rows()
    st.caption(
        f"{plural(int(rows['total_count'][0]), 'request')} stopped before a run started; "
        f"a refusal is no failed run. By rule, of the newest {rows.height}: "
        + ", ".join(f"{md_escape(rule)} {n:,}" for rule, n in rules)
        + "."
    )
    who = rows.with_columns(who=page.named("actor_id"), agent=pl.col("agent_id").replace(page.agent_names()))
    columns = [
        Column(name="refused_at", heading="When", kind="time", width=140),
        Column(name="agent", heading="Agent", width=150),
        Column(name="who", heading="For", width=115),
        Column(name="refusal_rule", heading="Rule", width=130),
        Column(name="reason", heading="Reason"),
    ]
    show(who, columns, key="refusals", zone=page.zone, height="auto", alt="Refused requests")


if __name__ == "__main__":
    render()
