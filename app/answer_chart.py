"""A chart of any answer: one column along, one number up, the look of every other chart."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from app.charts import empty_figure, plain
from app.palette import Palette

MAX_POINTS = 1_000


class Choices(NamedTuple):
    """Columns that can lie along the chart, and columns that can go up."""

    along: tuple[str, ...]
    up: tuple[str, ...]


def choices(rows: pl.DataFrame) -> Choices:
    """What of ``rows`` can be drawn; no ``up`` means nothing can."""
    up = tuple(name for name, kind in rows.schema.items() if kind.is_numeric())
    along = tuple(name for name, kind in rows.schema.items() if not kind.is_numeric())
    return Choices(along + up, up)


def figure(rows: pl.DataFrame, along: str, up: str, colours: Palette) -> go.Figure:
    """Bars of ``up`` over ``along`` in the order of the rows; a line over days or times."""
    some = rows.head(MAX_POINTS)
    kind = some.schema[along]
    heights = some[up].cast(pl.Float64).to_list()
    drawn = empty_figure(colours, 340, legend=False)
    template = "%{y}<extra></extra>"
    if isinstance(kind, pl.Date | pl.Datetime):
        some = some.sort(along, nulls_last=True)
        heights = some[up].cast(pl.Float64).to_list()
        line = {"color": colours.accent, "width": 2}
        drawn.add_trace(
            go.Scatter(x=some[along].to_list(), y=heights, mode="lines", line=line, hovertemplate=template)
        )
    else:
        names = ["unknown" if cell is None else plain(str(cell)) for cell in some[along].to_list()]
        drawn.add_trace(go.Bar(x=names, y=heights, marker={"color": colours.accent}, hovertemplate=template))
        drawn.update_xaxes(type="category")
    drawn.update_yaxes(title=plain(up))
    return drawn
