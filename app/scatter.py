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
