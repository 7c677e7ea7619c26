"""The catalogue of agents: its rows, its filters, its columns."""

from __future__ import annotations

import polars as pl

from app.views._parts import controls
from app.views._parts.page import Page
from app.views._parts.tables import Column


def agent_rows(page: Page, period: controls.Period, team: str | None) -> pl.DataFrame:
    """Agents with their figures of the period, best lower bound first, small numbers at the end."""
    rows = page.ask("agents", first_date=period.first_date, last_date=period.last_date, team_id=team)
    return rows.with_columns(
        name=pl.coalesce("agent_name", "agent_id"),
        team=page.teamed("team_id"),
        owner=page.named("owner_id"),
        state=pl.when(pl.col("is_adopted"))
        .then(pl.lit("adopted"))
        .when(pl.col("is_registered"))
        .then(pl.col("status"))
        .otherwise(pl.lit("not registered")),
    ).sort("is_small", "success_rate_low", "runs", descending=[False, True, True], nulls_last=True)


def matching(rows: pl.DataFrame, risk: str | None, status: str | None, text: str) -> pl.DataFrame:
    """The rows that meet the filters."""
    if risk:
        rows = rows.filter(pl.col("risk_class") == risk)
    if status:
        rows = rows.filter(~pl.col("is_registered") if status == "none" else pl.col("status") == status)
    if text:
        searched = pl.concat_str(
            "name", "agent_id", "purpose", "owner", "model_name", separator=" ", ignore_nulls=True
        )
        rows = rows.filter(searched.str.to_lowercase().str.contains(text.lower(), literal=True))
    return rows


def columns(page: Page, docs: dict[str, str], period: controls.Period) -> list[Column]:
    """The catalogue\'s columns; the team only for a person who sees several."""
    metrics = page.built().metrics()
    days = f"Runs per day, {period.words}."
    columns = [
        Column(name="name", heading="Agent", opens=True, pinned=True, width=180, meaning=docs["agent_name"]),
        Column(name="team", heading="Team", meaning=docs["team_id"], width=85),
        Column(name="risk_class", heading="Risk", meaning=docs["risk_class"], width=72),
        Column(name="state", heading="Status", meaning=docs["status"], width=92),
        Column(name="runs", heading="Runs", kind="count", meaning=metrics["runs"].definition, width=66),
        Column(name="runs_per_day", heading="Trend", kind="trend", meaning=days, width=100),
        Column(
            name="success_rate",
            heading="Success",
            kind="share",
            grey_when="is_small",
            meaning=metrics["success_rate"].definition,
            width=85,
        ),
        Column(
            name="success_rate_low",
            heading="At least",
            kind="share",
            grey_when="is_small",
            meaning="Lower bound of the Wilson 95 % interval of the success rate.",
            width=85,
        ),
        Column(
            name="cost_usd", heading="Cost", kind="money", meaning=metrics["cost_usd"].definition, width=110
        ),
        Column(
            name="cost_per_success_usd",
            heading="Per success",
            kind="money",
            meaning=metrics["cost_per_success"].definition,
            width=110,
        ),
        Column(
            name="machine_p50_ms",
            heading="Median time",
            kind="duration",
            meaning=metrics["machine_p50_ms"].definition,
            width=100,
        ),
        Column(
            name="tool_error_rate",
            heading="Tool errors",
            kind="share",
            meaning=metrics["tool_error_rate"].definition,
            width=95,
        ),
        Column(name="owner", heading="Owner", meaning=docs["owner_id"], width=130),
        Column(name="model_name", heading="Model", meaning=docs["model_name"]),
    ]
    return [column for column in columns if column.name != "team" or len(page.teams_seen) > 1]
