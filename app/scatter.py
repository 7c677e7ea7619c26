"""Points with their intervals: one figure per question about two numbers at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from app.charts import empty_figure, plain
from app.labels import money
from app.palette import Palette


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One agent under review: cost per run in USD, success rate with its interval, proposal in words."""

    name: str
    kind: str
    cost_usd: float
    rate: float
    low: float
    high: float


def judged(points: Sequence[Judged], kinds: Sequence[str], colours: Palette) -> go.Figure:
    """Success with its interval against cost per run (logarithmic), coloured by proposal."""
    figure = empty_figure(colours, 340)
    hues = dict(
        zip(kinds, (colours.bad, colours.fair, colours.series[2], colours.good, colours.off), strict=True)
    )
    for kind in kinds:
        some = [one for one in points if one.kind == kind]
        if some:
            figure.add_trace(_judged(kind, some, hues[kind]))
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(type="log", title="cost per run, USD", showgrid=True, tickformat="~g", dtick=1)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02], title="success")
    return figure


def _judged(kind: str, some: Sequence[Judged], colour: str) -> go.Scatter:
    return go.Scatter(
        x=[one.cost_usd for one in some],
        y=[one.rate for one in some],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.rate for one in some],
            "arrayminus": [one.rate - one.low for one in some],
            "thickness": 1,
            "width": 0,
        },
        text=[plain(one.name) for one in some],
        customdata=[money(one.cost_usd) for one in some],
        name=kind,
        mode="markers",
        marker={"color": colour, "size": 9},
        hovertemplate="%{text}: %{y:.0%}, %{customdata} per run<extra></extra>",
    )


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One day of one row in a month grid: state good, fair, bad or off, a mark to read, words to hover."""

    state: str
    mark: str
    told: str


_STATES = ("off", "good", "fair", "bad")


def month_grid(
    names: Sequence[str], days: int, grid: Sequence[Sequence[Cell | None]], colours: Palette
) -> go.Figure:
    """Rows of days, each cell coloured by its state and marked in words; None is a day without a slot."""
    figure = empty_figure(colours, 70 + 34 * len(names), legend=False)
    hues = (colours.faint, colours.good, colours.fair, colours.bad)
    steps = [(edge, hue) for place, hue in enumerate(hues) for edge in (place / 4, (place + 1) / 4)]
    figure.add_trace(
        go.Heatmap(
            x=list(range(1, days + 1)),
            y=[plain(name) for name in names],
            z=[[None if cell is None else _STATES.index(cell.state) for cell in row] for row in grid],
            text=[["" if cell is None else plain(cell.mark) for cell in row] for row in grid],
            customdata=[["" if cell is None else plain(cell.told) for cell in row] for row in grid],
            texttemplate="%{text}",
            textfont={"size": 11},
            hovertemplate="%{y}, day %{x}: %{customdata}<extra></extra>",
            colorscale=steps,
            zmin=0,
            zmax=3,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(showgrid=False, nticks=12, tickangle=0, side="top")
    figure.update_yaxes(showgrid=False, type="category", autorange="reversed")
    return figure
