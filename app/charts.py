"""Charts: pure functions from values to Plotly figures, the same look and the same colours on every page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from app.labels import duration, money
from app.palette import Palette, outcome_colours

CONFIG = {"displayModeBar": False, "responsive": True}
"""Options for ``st.plotly_chart``: no tool bar, no zoom by accident."""

_VISIBLE_SHARE = 0.004  # of a timeline: the least width of a span, or short calls would vanish

_BAR_SHARE = 0.82  # of a day or week: the width of its bar; one bar alone has no neighbour to take it from
_FEW_STEPS = 6  # fewer bars than this keep the width they have among six

OUTCOMES = ("clean", "intervened", "failed", "cancelled")
OUTCOME_WORDS = {
    "clean": "clean",
    "intervened": "completed with intervention",
    "failed": "failed, stopped or lost",
    "cancelled": "cancelled or expired",
}
OUTCOMES_READ = (
    "Intervened: completed with a person's intervention. Failed: or stopped, or lost. Cancelled: or expired."
)
"""How to read the bar of outcome shares."""


def plain(text: str) -> str:
    """``text`` for a Plotly label: angle brackets and templates lose their meaning, the words stay."""
    return text.replace("<", "‹").replace(">", "›").replace("%{", "% {")


def empty_figure(colours: Palette, height: int, *, legend: bool = True) -> go.Figure:
    """A figure with the house's axes, fonts and legend, ``height`` pixels high, without a trace."""
    axis = {
        "gridcolor": colours.faint,
        "zeroline": False,
        "linecolor": colours.faint,
        "tickfont": {"color": colours.muted, "size": 12},
        "title": {"font": {"color": colours.muted, "size": 12}},
        "automargin": True,
        "fixedrange": True,
    }
    layout = go.Layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 30 if legend else 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colours.text, "size": 13},
        hovermode="x unified",
        hoverlabel={
            "bgcolor": colours.background,
            "bordercolor": colours.faint,
            "font": {"color": colours.text},
        },
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
            "font": {"color": colours.text, "size": 12},
        },
        xaxis=axis,
        yaxis=axis | {"rangemode": "tozero"},
        bargap=0.18,
        dragmode=False,
    )
    return go.Figure(layout=layout)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line, area or bar series: a name people read, a colour, and one number (or None) per step."""

    name: str
    colour: str
    amounts: Sequence[float | None]


def _over(days: Sequence[dt.date], one: Series, hover: str, unit: str) -> dict[str, object]:
    """What a bar and a line of a series over days have in common."""
    return {
        "x": list(days),
        "y": list(one.amounts),
        "name": plain(one.name),
        "hovertemplate": f"%{{y:{hover}}}{unit}",
    }


def stacked_days(
    days: Sequence[dt.date],
    series: Sequence[Series],
    colours: Palette,
    *,
    hover: str = ",.0f",
    unit: str = "",
) -> go.Figure:
    """Stacked bars per day or week; ``hover`` is a d3 format for one amount, ``unit`` follows it."""
    figure = empty_figure(colours, 280, legend=len(series) > 1)
    for one in series:
        figure.add_trace(
            go.Bar(
                marker={"color": one.colour, "line": {"width": 0}},
                width=_step(days).total_seconds() * 1000 * _BAR_SHARE,
                **_over(days, one, hover, unit),
            )
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(ticksuffix=unit)
    _date_axis(figure, days)
    return figure


def lines(
    days: Sequence[dt.date],
    series: Sequence[Series],
    colours: Palette,
    *,
    tick: str = ",.0f",
    hover: str = ",.0f",
    unit: str = "",
) -> go.Figure:
    """One line per series over days; a missing amount is a gap, never a zero."""
    figure = empty_figure(colours, 280, legend=len(series) > 1)
    for one in series:
        figure.add_trace(
            go.Scatter(
                mode="lines",
                connectgaps=False,
                line={"color": one.colour, "width": 2},
                **_over(days, one, hover, unit),
            )
        )
    _date_axis(figure, days)
    figure.update_yaxes(tickformat=tick, ticksuffix=unit, rangemode="normal")
    return figure


def add_band(figure: go.Figure, ends: Sequence[tuple[dt.date, float, float]], name: str, colour: str) -> None:
    """A band between a low and a high amount per day, behind the lines; ``colour`` is hex."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    days = [day for day, _, _ in ends]
    figure.add_trace(
        go.Scatter(
            x=[*days, *days[::-1]],
            y=[*(high for _, _, high in ends), *(low for _, low, _ in reversed(ends))],
            name=name,
            mode="lines",
            fill="toself",
            fillcolor=f"rgba({red},{green},{blue},0.22)",
            line={"color": f"rgba({red},{green},{blue},0.22)", "width": 0},
            hoverinfo="skip",
        )
    )


def _step(days: Sequence[dt.date]) -> dt.timedelta:
    return days[1] - days[0] if len(days) > 1 else dt.timedelta(days=1)


def _date_axis(figure: go.Figure, days: Sequence[dt.date]) -> None:
    """Day and month on the axis, month and year over spans of more than half a year."""
    is_long = len(days) > 1 and (days[-1] - days[0]).days > 200
    figure.update_xaxes(
        showgrid=False, hoverformat="%a %-d %b %Y", tickformat="%b %Y" if is_long else "%-d %b", nticks=10
    )
    if 0 < len(days) < _FEW_STEPS:
        pad = _step(days) * (_FEW_STEPS - len(days) + 1) / 2
        first, last = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (days[0], days[-1]))
        figure.update_xaxes(range=[first - pad, last + pad], tickvals=list(days))


def shares(counts: Mapping[str, int], colours: Palette) -> go.Figure:
    """Outcome shares of terminal runs as one bar that adds to 100 %; ``counts`` by outcome word."""
    figure = empty_figure(colours, 98)
    total = sum(counts.get(outcome, 0) for outcome in OUTCOMES)
    for outcome, colour in outcome_colours(colours).items():
        number = counts.get(outcome, 0)
        part = number / total if total else 0.0
        figure.add_trace(
            go.Bar(
                y=[""],
                x=[part],
                name=f"{outcome} {part:.1%}",
                orientation="h",
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate=f"{OUTCOME_WORDS[outcome]}: {number:,} of {total:,} runs<extra></extra>",
            )
        )
    # Two lines of legend on a phone; the words in full stand in the tooltip.
    figure.update_layout(barmode="stack", hovermode="closest", bargap=0, margin={"t": 48})
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False)
    return figure


def ranked(
    names: Sequence[str], amounts: Sequence[float], colours: Palette, *, bar_colours: Sequence[str]
) -> go.Figure:
    """Horizontal bars of money, largest first, the amount written at the bar."""
    figure = empty_figure(colours, 46 + 30 * max(len(names), 1), legend=False)
    figure.add_trace(
        go.Bar(
            y=[plain(name) for name in names][::-1],
            x=list(amounts)[::-1],
            orientation="h",
            marker={"color": list(bar_colours)[::-1], "line": {"width": 0}},
            text=[money(amount) for amount in amounts][::-1],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(hovermode="closest", margin={"r": 96})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(showgrid=False, type="category")
    return figure


@dataclass(frozen=True, kw_only=True)
class Span:
    """One piece of a run: the lane it belongs to, its label, start and end (UTC)."""

    lane: str
    label: str
    started_at: dt.datetime
    ended_at: dt.datetime
    colour: str


def timeline(spans: Sequence[Span], lanes: Sequence[str], colours: Palette) -> go.Figure:
    """A run as lanes over elapsed time: model, tools, people, waiting. Spans must not be empty."""
    start = min(span.started_at for span in spans)
    figure = empty_figure(colours, 62 + 34 * len(lanes), legend=False)
    whole = max((span.ended_at - start).total_seconds() for span in spans)
    scale, unit = _time_unit(whole)
    for span in spans:
        begin = (span.started_at - start).total_seconds() / scale
        seconds = (span.ended_at - span.started_at).total_seconds()
        length = max(seconds, whole * _VISIBLE_SHARE) / scale
        figure.add_trace(
            go.Bar(
                y=[span.lane],
                x=[length],
                base=[begin],
                orientation="h",
                marker={"color": span.colour, "line": {"color": colours.background, "width": 1}},
                hovertemplate=f"{plain(span.label)}<br>took {duration(seconds * 1000)}, "
                f"after {duration(begin * scale * 1000)}<extra></extra>",
            )
        )
    figure.update_layout(barmode="overlay", hovermode="closest", bargap=0.3)
    figure.update_xaxes(ticksuffix=f" {unit}", tickformat="~g", rangemode="tozero")
    figure.update_yaxes(
        categoryorder="array", categoryarray=list(lanes)[::-1], showgrid=False, type="category"
    )
    return figure


def _time_unit(seconds: float) -> tuple[float, str]:
    if seconds < 120:
        return 1.0, "s"
    if seconds < 7200:
        return 60.0, "min"
    return 3600.0, "h"
