"""Runs as a table: who, what came out, what it cost, how long; a click opens the run."""

from __future__ import annotations

import polars as pl

from app.views._parts.page import Page, open_run, spaced
from app.views._parts.tables import Column, show


def show_runs(page: Page, rows: pl.DataFrame, *, key: str, with_agent: bool = True) -> None:
    """Show ``rows`` of the question ``runs``; opens the run whose id is clicked."""
    docs = page.scoped().column_docs("fct_runs")
    told = rows.with_columns(
        when=pl.coalesce("ended_at", "requested_at"),
        result=_result(),
        who=page.named("actor_id"),
        agent=pl.coalesce("agent_name", "agent_id"),
        short=pl.col("run_id").str.slice(-12),
    )
    columns = [
        Column(
            name="when",
            heading="When",
            kind="time",
            meaning="When it ended, else when it was asked for.",
            width=146,
        ),
        Column(
            name="short", heading="Run", opens=True, meaning="Last characters of the run's id.", width=122
        ),
        Column(name="agent", heading="Agent", width=160),
        Column(name="result", heading="Result", meaning=docs["outcome"], width=115),
        Column(name="who", heading="For", meaning=docs["actor_id"], width=112),
        Column(name="cost_usd", heading="Cost", kind="money", meaning=docs["cost_usd"], width=110),
        Column(name="machine_ms", heading="Machine", kind="duration", meaning=docs["machine_ms"], width=95),
        Column(name="waiting_ms", heading="Waited", kind="duration", meaning=docs["waiting_ms"], width=72),
        Column(name="turn_count", heading="Turns", kind="count", meaning=docs["turn_count"], width=58),
        Column(name="executed_tool_call_count", heading="Tools", kind="count", width=58),
        Column(
            name="tool_error_count",
            heading="Errors",
            kind="count",
            meaning=docs["tool_error_count"],
            width=60,
        ),
        Column(
            name="approval_count", heading="Approvals", kind="count", meaning=docs["approval_count"], width=82
        ),
        Column(name="model_name", heading="Model", meaning=docs["model_name"]),
    ]
    shown = [column for column in columns if with_agent or column.name != "agent"]
    clicked = show(told, shown, key=key, zone=page.zone, alt="Runs")
    if clicked is not None:
        open_run(told["run_id"][clicked])


def _result() -> pl.Expr:
    """The outcome in words; for failures the end state says more."""
    outcome, state = pl.col("outcome"), spaced("end_state")
    return (
        pl.when(outcome.is_null())
        .then(spaced("run_status"))
        .when(outcome == "clean")
        .then(pl.lit("clean"))
        .when(outcome == "intervened")
        .then(pl.lit("with intervention"))
        .when(pl.col("end_state") == "completed")
        .then(pl.lit("bad verdict"))
        .otherwise(state)
    )
