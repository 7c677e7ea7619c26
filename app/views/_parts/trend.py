"""The chart over time: one measure, split by team or agent, in days or weeks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go
import polars as pl

from app import charts
from app.labels import SMALL_N
from app.views._parts import behind
from app.views._parts.controls import Period
from app.views._parts.page import Page

Split = Literal["team", "agent", "model", "fleet"]
MAX_SERIES = 6
_WEEKLY_FROM_DAYS = 45
_RATE_WEEKLY_FROM_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What the chart can show: a sum of one column, or a ratio of two."""

    label: str
    numerator: str
    denominator: str = ""
    is_money: bool = False


MEASURES: Mapping[str, Measure] = {
    "runs": Measure(label="Runs", numerator="runs"),
    "success": Measure(label="Success rate", numerator="successes", denominator="runs"),
    "cost": Measure(label="Cost", numerator="cost_usd", is_money=True),
    "cost_per_success": Measure(
        label="Cost per success", numerator="cost_usd", denominator="successes", is_money=True
    ),
    "tool_errors": Measure(label="Tool errors", numerator="tool_errors", denominator="tool_calls"),
    "approvals": Measure(label="Approval rate", numerator="approvals_yes", denominator="decisions"),
}


def show(page: Page, key: str, name: str, period: Period, split: Split, **filters: str | None) -> None:
    """The chart of measure ``name``, how to read it, and its rows; ``key`` names it on its page."""
    drawn, read = figure(page, name, period, split, **filters)
    label = f"{MEASURES[name].label} over time"
    cut = {"by": split, "first_date": period.first_date, "last_date": period.last_date, **filters}
    behind.chart(
        behind.question(page, key, label, "series", cut),
        drawn,
        caption=f"{MEASURES[name].label} by {split}, {read}.",
    )


def figure(
    page: Page, name: str, period: Period, split: Split, **filters: str | None
) -> tuple[go.Figure, str]:
    """The chart of measure ``name`` and a line that says how to read it."""
    measure = MEASURES[name]
    rows = page.ask(
        "series", by=split, first_date=period.first_date, last_date=period.last_date, **filters
    ).with_columns(pl.col("cost_usd").cast(pl.Float64))
    is_weekly = period.days >= (_RATE_WEEKLY_FROM_DAYS if measure.denominator else _WEEKLY_FROM_DAYS)
    steps = _steps(period, is_weekly)
    buckets = _bucketed(rows, measure, is_weekly)
    names = _largest(buckets)
    series = [_series(page, buckets, key, names, steps, measure, split) for key in names]
    read = f"per {'week, from its Monday' if is_weekly else 'day'}"
    if not measure.denominator:
        unit = " USD" if measure.is_money else ""
        hover = ",.2f" if measure.is_money else ",.0f"
        return charts.stacked_days(steps, series, page.colours, hover=hover, unit=unit), read
    gaps = f"; a {'week' if is_weekly else 'day'} with fewer than {SMALL_N} cases is a gap"
    if measure.is_money:
        return charts.lines(steps, series, page.colours, tick=",.2f", hover=",.4f", unit=" USD"), read + gaps
    return charts.lines(steps, series, page.colours, tick=".0%", hover=".1%"), read + gaps


def _bucketed(rows: pl.DataFrame, measure: Measure, is_weekly: bool) -> pl.DataFrame:
    day = pl.col("run_date").dt.truncate("1w") if is_weekly else pl.col("run_date")
    denominator = pl.col(measure.denominator).sum() if measure.denominator else pl.lit(None, pl.Int64)
    return rows.group_by(day.alias("step"), pl.col("series").fill_null("")).agg(
        pl.col(measure.numerator).sum().alias("numerator"), denominator.alias("denominator")
    )


def _steps(period: Period, is_weekly: bool) -> list[dt.date]:
    first = period.first_date - dt.timedelta(days=period.first_date.weekday() if is_weekly else 0)
    length = 7 if is_weekly else 1
    return [
        first + dt.timedelta(days=offset) for offset in range(0, (period.last_date - first).days + 1, length)
    ]


def _largest(buckets: pl.DataFrame) -> list[str]:
    """The series with most cases, at most as many as there are colours."""
    sums = buckets.group_by("series").agg(pl.col("numerator").sum(), pl.col("denominator").sum())
    order = sums.sort("denominator", "numerator", descending=True, nulls_last=True)
    return order["series"].to_list()[:MAX_SERIES]


def _series(
    page: Page,
    buckets: pl.DataFrame,
    key: str,
    names: Sequence[str],
    steps: Sequence[dt.date],
    measure: Measure,
    split: Split,
) -> charts.Series:
    found = {
        row["step"]: _amount(row, measure)
        for row in buckets.filter(pl.col("series") == key).iter_rows(named=True)
    }
    missing = None if measure.denominator else 0.0
    return charts.Series(
        name=_name(page, key, split),
        colour=_colour(page, key, names, split),
        amounts=[found.get(step, missing) for step in steps],
    )


def _amount(row: Mapping[str, float | int | None], measure: Measure) -> float | None:
    numerator, denominator = row["numerator"], row["denominator"]
    if not measure.denominator:
        return None if numerator is None else float(numerator)
    if numerator is None or not denominator or denominator < SMALL_N:
        return None
    return float(numerator) / denominator


def _name(page: Page, key: str, split: Split) -> str:
    if split == "fleet":
        return "all runs"
    if split == "agent":
        return page.agent_names().get(key, key)
    return page.team(key) if split == "team" else key or f"no {split}"


def _colour(page: Page, key: str, names: Sequence[str], split: Split) -> str:
    if split == "team":
        return page.team_colours.get(key, page.colours.off)
    return page.colours.accent if split == "fleet" else page.colours.series[names.index(key) % MAX_SERIES]
