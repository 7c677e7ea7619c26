"""The chart of wallets: spent, held and free against the cap, and where the speed so far leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from app.charts import empty_figure, plain
from app.labels import money
from app.palette import Palette


@dataclass(frozen=True, kw_only=True)
class WalletBar:
    """One wallet: its name and the dollars spent, held and capped (None for unlimited).

    ``forecast_usd`` is what it will have spent at its window's end at the speed so far, None when unknown.
    """

    name: str
    spent_usd: float
    held_usd: float
    cap_usd: float | None
    forecast_usd: float | None = None


def wallets(bars: Sequence[WalletBar], colours: Palette) -> go.Figure:
    """Spent, held and free of each wallet as one bar; the cap is its full length, an overrun goes past it."""
    figure = empty_figure(colours, 84 + 38 * max(len(bars), 1))
    names = [plain(bar.name) for bar in bars][::-1]
    parts = (
        ("spent", colours.accent, [bar.spent_usd for bar in bars], ""),
        ("held", colours.fair, [bar.held_usd for bar in bars], "/"),
        ("free", colours.faint, [_free(bar) for bar in bars], ""),
    )
    for name, colour, amounts, pattern in parts:
        figure.add_trace(
            go.Bar(
                y=names,
                x=amounts[::-1],
                name=name,
                orientation="h",
                marker={"color": colour, "line": {"width": 0}, "pattern": {"shape": pattern}},
                customdata=[money(amount) for amount in amounts][::-1],
                hovertemplate=f"{name}: %{{customdata}}<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            y=names,
            x=[max(bar.cap_usd or 0.0, bar.spent_usd + bar.held_usd) for bar in bars][::-1],
            text=[_used(bar) for bar in bars][::-1],
            mode="text",
            textposition="middle right",
            textfont={"color": colours.text, "size": 12},
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
        )
    )
    _forecast_marks(figure, bars, colours)
    figure.update_layout(barmode="stack", hovermode="closest", bargap=0.45, margin={"r": 70})
    figure.update_xaxes(tickformat=",.0f", ticksuffix=" USD", showgrid=True, rangemode="tozero")
    figure.update_yaxes(showgrid=False, type="category")
    return figure


def _forecast_marks(figure: go.Figure, bars: Sequence[WalletBar], colours: Palette) -> None:
    """A diamond at each wallet's forecast to its window's end."""
    known = [(plain(bar.name), bar.forecast_usd) for bar in bars if bar.forecast_usd is not None]
    if not known:
        return
    figure.add_trace(
        go.Scatter(
            y=[name for name, _ in known],
            x=[amount for _, amount in known],
            name="forecast",
            mode="markers",
            marker={"symbol": "diamond", "size": 10, "color": colours.bad, "line": {"width": 0}},
            customdata=[money(amount) for _, amount in known],
            hovertemplate="at the window's end: %{customdata}<extra></extra>",
        )
    )


def _used(bar: WalletBar) -> str:
    return "unlimited" if not bar.cap_usd else f"{(bar.spent_usd + bar.held_usd) / bar.cap_usd:.0%} used"


def _free(bar: WalletBar) -> float:
    return 0.0 if bar.cap_usd is None else max(bar.cap_usd - bar.spent_usd - bar.held_usd, 0.0)
