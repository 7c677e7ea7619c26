"""What model providers charge beside what the log holds: captured shares, findings, invoices."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from app.labels import md_escape, money, plural, share
from app.views._parts.controls import Period
from app.views._parts.page import Page, empty, spaced
from app.views._parts.tables import Column, show

_UTC = ZoneInfo("UTC")
_COMMAND = "import usage <export>"


def show_providers(page: Page, period: Period) -> None:
    """The tab: one line per provider and model, the days that disagree, the invoices."""
    if page.scope.team_ids is not None:
        empty("What a provider charges belongs to no team: who sees all teams finds it here.")
        return
    days = {"first_date": period.first_date, "last_date": period.last_date}
    captured = page.ask("captured", **days)
    exported = captured.filter(pl.col("days_compared") > 0)
    if exported.is_empty():
        empty(
            "No usage or cost export of a model provider covers these days, so nobody knows whether the log "
            "holds all that was used. Import one to compare.",
            _COMMAND,
        )
        return
    findings = page.ask("provider_findings", **days)
    st.markdown(_told(exported, findings))
    st.caption(
        "Days are days of UTC, as providers count them, not of the company's zone. A day counts when an "
        f"export holds it as a whole; `rpt_provider_days` has each day. {_without(captured)}"
    )
    _captured(exported)
    if not findings.is_empty():
        st.subheader("Days on which they disagree", anchor=False)
        _findings(findings)
    _invoices(page.ask("provider_months", **days))


def _told(exported: pl.DataFrame, findings: pl.DataFrame) -> str:
    known = exported.filter(pl.col("captured_cost_share").is_not_null())
    stated, held = (
        float(known[name].cast(pl.Float64).sum() or 0) for name in ("provider_cost_usd", "log_cost_usd")
    )
    unknown = exported.height - known.height
    lines = [
        f"**{plural(findings.height, 'finding')}**: a day and a model on which log and provider disagree"
    ]
    if stated:
        lines.insert(0, f"**{share(held / stated)}** captured: {money(held)} in the log of {money(stated)}")
    if unknown:
        lines.append(f"{plural(unknown, 'model')} whose costs cannot be compared")
    return " · ".join(lines)


def _without(captured: pl.DataFrame) -> str:
    names = captured.filter(pl.col("days_compared") == 0)["provider_name"].unique().sort().to_list()
    if not names:
        return ""
    return f"No export of these days: {', '.join(md_escape(name) for name in names)}."


def _captured(rows: pl.DataFrame) -> None:
    columns = [
        Column(name="provider_name", heading="Provider", width=110),
        Column(name="model", heading="Model"),
        Column(name="captured_cost_share", heading="Captured", kind="share", width=95, meaning=_SHARE),
        Column(name="provider_cost_usd", heading="At the provider", kind="money", width=125),
        Column(name="log_cost_usd", heading="In the log", kind="money", width=110),
        Column(name="captured_tokens_share", heading="Tokens captured", kind="share", width=125),
        Column(name="unknown_charges", heading="Cost unknown", kind="count", width=110),
        Column(name="days_compared", heading="Days", kind="count", width=65),
        Column(name="days_found", heading="Disagree", kind="count", width=85),
    ]
    named = rows.with_columns(model=pl.col("model_name").fill_null("all models"))
    show(
        named, columns, key="captured", zone=_UTC, height="auto", alt="Captured share per provider and model"
    )


def _findings(rows: pl.DataFrame) -> None:
    columns = [
        Column(name="usage_date", heading="Day (UTC)", kind="day", width=110),
        Column(name="provider_name", heading="Provider", width=100),
        Column(name="model", heading="Model"),
        Column(name="finding", heading="Finding", width=130, meaning=_FINDING),
        Column(name="provider_cost_usd", heading="At the provider", kind="money", width=125),
        Column(name="log_cost_usd", heading="In the log", kind="money", width=105),
        Column(name="provider_usd_per_mtok", heading="USD/Mtok there", kind="money", width=125),
        Column(name="log_usd_per_mtok", heading="USD/Mtok here", kind="money", width=120),
        Column(name="price_version", heading="Price version", width=120),
    ]
    named = rows.with_columns(
        model=pl.col("model_name").fill_null("all models"), finding=spaced("comparison")
    )
    show(named, columns, key="provider_findings", zone=_UTC, height="auto", alt="Days that disagree")


def _invoices(rows: pl.DataFrame) -> None:
    invoiced = rows.filter(pl.col("invoices") > 0)
    if invoiced.is_empty():
        return
    st.subheader("Invoices", anchor=False)
    columns = [
        Column(name="month_start_date", heading="Month (UTC)", kind="day", width=120),
        Column(name="provider_name", heading="Provider"),
        Column(name="invoices", heading="Invoices", kind="count", width=80),
        Column(name="invoiced_usd", heading="Invoiced", kind="money", width=110),
        Column(name="log_cost_usd", heading="In the log", kind="money", width=110),
        Column(name="captured_of_invoices_share", heading="Captured", kind="share", width=95),
    ]
    show(invoiced, columns, key="provider_invoices", zone=_UTC, height="auto", alt="Invoices")


_SHARE = "Cost in the log, divided by cost at the provider; unknown when a call has no cost."
_FINDING = (
    "Not in log: the provider charges what the log does not hold. Partly, more in log: both do, by another "
    "sum. Not at provider: the log holds what the export does not. Price differs: the same tokens at another "
    "cost. "
    "Price missing, tokens unknown: of calls in the log."
)
