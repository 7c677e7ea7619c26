"""The tabs of one agent's page."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import polars as pl
import streamlit as st

from app import charts
from app.labels import SMALL_N, count, money, plural, share
from app.views._parts import agent_past, behind, measures, run_list, trend
from app.views._parts.controls import Period
from app.views._parts.page import Filter, Page, empty, spaced
from app.views._parts.tables import Column, show

PERFORMANCE = (
    "runs",
    "success_rate",
    "cost_per_success",
    "tool_error_rate",
    "machine_p50_ms",
    "machine_p95_ms",
    "end_to_end_p50_ms",
    "interventions",
)
MONEY = ("cost_usd", "cost_per_run", "cost_per_success", "unknown_cost_share")
OVERSIGHT = ("approval_rate", "changed_approval_share", "decide_p50_s", "decided_under_2s_share")


def performance(page: Page, agent_id: str, period: Period) -> None:
    """Tiles, outcome shares that add to 100 %, and the success rate over time."""
    measures.row(page, PERFORMANCE, period, group="performance", shows_both=True, agent_id=agent_id)
    days = _days(period)
    rows = page.ask("series", by="agent", agent_id=agent_id, **days)
    counts = {name: int(rows[name].sum()) for name in charts.OUTCOMES}
    if not sum(counts.values()):
        empty("No run of this agent ended in this period. Choose a longer one.")
        return
    source = behind.question(
        page, "agent_outcomes", "How runs ended", "series", {"by": "agent", "agent_id": agent_id, **days}
    )
    behind.chart(source, charts.shares(counts, page.colours), caption=charts.OUTCOMES_READ)
    trend.show(page, "agent_runs", "runs", period, "agent", agent_id=agent_id)


def versions(page: Page, agent_id: str, period: Period) -> None:
    """Each version with its figures over all time, and the newest against the one before."""
    rows = page.ask("versions", agent_id=agent_id).with_columns(
        hash=pl.col("version_hash").str.slice(0, 12),
        author=page.named("author_id"),
    )
    if rows.is_empty():
        empty("No version is declared. Add the agent to registry.yaml and apply it.", "registry apply")
        return
    st.markdown(_verdicts(rows))
    show(
        rows,
        [
            Column(name="agent_version", heading="Version", kind="count", width=70),
            Column(name="declared_at", heading="Declared", kind="time", width=140),
            Column(name="author", heading="Author", width=130),
            Column(name="model_name", heading="Model", width=150),
            Column(name="runs", heading="Runs", kind="count", width=80),
            Column(name="success_rate", heading="Success", kind="share", grey_when="is_small", width=90),
            Column(name="success_rate_low", heading="At least", kind="share", grey_when="is_small", width=90),
            Column(name="success_rate_high", heading="At most", kind="share", grey_when="is_small", width=90),
            Column(name="cost_per_run_usd", heading="Cost per run", kind="money", width=120),
            Column(name="machine_p50_ms", heading="Median time", kind="duration", width=110),
            Column(name="hash", heading="Hash"),
        ],
        key="versions",
        zone=page.zone,
        alt="Versions of the agent",
    )
    agent_past.difference(page, agent_id)


def _verdicts(rows: pl.DataFrame) -> str:
    """Each version against the one before it, newest first, until two that both have enough runs."""
    versions = list(rows.iter_rows(named=True))
    if len(versions) < 2:
        return "Only one version so far: nothing to compare."
    lines = []
    for new, old in pairwise(versions):
        lines.append(_verdict(new, old))
        if min(new["runs"], old["runs"]) >= SMALL_N:
            break
    return "  \n".join(lines)


def _verdict(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """Better, worse, or not enough to tell: success intervals apart, with at least 20 runs of each."""
    pair = f"Version {new['agent_version']} against {old['agent_version']}"
    if min(new["runs"], old["runs"]) < SMALL_N:
        runs = f"{count(new['runs'])} and {count(old['runs'])} runs; each needs {SMALL_N}."
        return f"**{pair}: not enough data.** {runs}"
    rates = f"success {share(old['success_rate'])} → {share(new['success_rate'])}"
    costs = f"cost per run {money(old['cost_per_run_usd'])} → {money(new['cost_per_run_usd'])}"
    if new["success_rate_low"] > old["success_rate_high"]:
        word = "better"
    elif new["success_rate_high"] < old["success_rate_low"]:
        word = "worse"
    else:
        word = "no clear difference, the intervals overlap"
    return f"**{pair}: {word}.** {rates.capitalize()}, {costs}."


def tools(page: Page, agent_id: str, period: Period) -> None:
    """Each tool: rule, calls, errors by class, and what was refused or denied."""
    rows = page.ask("tools", agent_id=agent_id, **_days(period))
    if rows.is_empty():
        empty("This agent declares no tools and called none in this period.")
        return
    small = rows.with_columns(
        is_small=pl.col("tool_calls_executed").fill_null(0) < SMALL_N,
        rule=pl.when(pl.col("approval_rule").is_null()).then(pl.lit("none")).otherwise("approval_rule"),
        approver=spaced("approver_role").fill_null(""),
    )
    show(
        small,
        [
            Column(name="tool_name", heading="Tool", width=165),
            Column(name="tool_effect", heading="Effect", width=108),
            Column(name="rule", heading="Approval rule", width=140),
            Column(name="approver", heading="Approver", width=110),
            Column(name="tool_calls", heading="Calls", kind="count", width=65),
            Column(name="tool_error_rate", heading="Errors", kind="share", grey_when="is_small", width=70),
            Column(name="refused_count", heading="Refused", kind="count", width=75),
            Column(name="denied_count", heading="Denied", kind="count", width=70),
            Column(name="duration_p50_ms", heading="Median", kind="duration", width=75),
            Column(name="errors_upstream", heading="Upstream", kind="count", width=80),
            Column(name="errors_timeout", heading="Timeout", kind="count", width=75),
            Column(name="errors_invalid_args", heading="Bad arguments", kind="count", width=115),
            Column(name="errors_crash", heading="Crash", kind="count", width=65),
            Column(name="errors_unclassified", heading="Other", kind="count"),
        ],
        key="tools",
        zone=page.zone,
        missing="none",
        alt="Tools of the agent",
    )


def money_of(page: Page, agent_id: str, period: Period) -> None:
    """Cost tiles, cost over time by model, and the agent's wallets now."""
    measures.row(page, MONEY, period, group="money", shows_both=True, agent_id=agent_id)
    trend.show(page, "agent_cost", "cost", period, "model", agent_id=agent_id)
    if not page.shows_live:
        return
    mine = [
        w
        for w in page.desk.wallets(page.person.person_id)
        if (w.wallet_kind, w.owner_id) == ("agent", agent_id)
    ]
    for wallet in mine:
        left = (
            "unlimited"
            if wallet.free_usd is None
            else f"{money(wallet.free_usd)} of {money(wallet.cap_usd)} left"
        )
        st.markdown(
            f"Wallet per {wallet.window}: {money(wallet.spent_usd)} spent, "
            f"{money(wallet.held_usd)} held, {left}."
        )
    if not mine:
        st.caption("No wallet of its own: it spends from the team's.")


def oversight(page: Page, agent_id: str, period: Period) -> None:
    """How people decide on this agent's calls."""
    measures.row(page, OVERSIGHT, period, group="oversight", shows_both=True, agent_id=agent_id)
    rows = page.ask("approvals", agent_id=agent_id, limit=100, **_days(period)).with_columns(
        by=pl.when(pl.col("decided_by").is_null()).then(pl.lit("")).otherwise(page.named("decided_by")),
        answer=spaced("approval_status"),
    )
    if rows.is_empty():
        empty("No call of this agent asked for a decision in this period.")
        return
    st.caption(
        f"{plural(int(rows['total_count'][0]), 'request')} in this period, the newest {rows.height} below."
    )
    show(
        rows,
        [
            Column(name="requested_at", heading="Asked", kind="time", width=140),
            Column(name="tool_name", heading="Tool", width=160),
            Column(name="answer", heading="Answer", width=150),
            Column(name="by", heading="By", width=140),
            Column(name="seconds_to_decide", heading="Time to decide", kind="ago", width=120),
            Column(name="money_at_stake_usd", heading="At stake", kind="money", width=120),
            Column(name="reason", heading="Reason"),
        ],
        key="agent_approvals",
        zone=page.zone,
        height="auto",
        missing="not stated",
        alt="Requests for a decision",
    )


def runs(page: Page, agent_id: str, period: Period) -> None:
    """The newest runs of the agent."""
    rows = page.ask("runs", agent_id=agent_id, limit=100, **_days(period))
    if rows.is_empty():
        empty("No run of this agent in this period. Choose a longer one.")
        return
    st.caption(f"The newest {rows.height} runs of the period. The Runs page searches all of them.")
    run_list.show_runs(page, rows, key="agent_run_list", with_agent=False)


def _days(period: Period) -> dict[str, Filter]:
    return {"first_date": period.first_date, "last_date": period.last_date}
