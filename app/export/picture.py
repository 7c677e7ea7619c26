"""A chart of a page as a picture: the Plotly figure resolved to marks, drawn by Typst as SVG, PNG or PDF.

The figure is the one the page shows; no browser is needed, and the same figure gives the same bytes. What the
product's charts are made of is drawn: bars (stacked or on a base), lines with gaps, points with intervals,
labels, and grids of states. Anything else is refused, never left out.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go

from app.errors import ExportRefused
from app.export.axes import Axis, Value, resolved, seconds
from app.export.glyphs import with_glyphs
from app.export.package import Written
from app.palette import Palette

Picture = Literal["svg", "png"]
PICTURES: tuple[Picture, ...] = ("svg", "png")
TEMPLATE = Path(__file__).with_name("picture.typ")
Mark = dict[str, Any]
_WIDTH = 960
_PNG_PPI = 192


@dataclass(frozen=True, kw_only=True)
class About:
    """What a picture says around the chart: its title, and lines below (how to read it, where it is from)."""

    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A picture as the content of an export: ``row_count`` is how many rows it draws."""

    figure: go.Figure
    title: str
    lines: tuple[str, ...]
    colours: Palette
    format: Picture
    row_count: int

    def write(self, path: Path, about: Mapping[str, str]) -> Written:
        """Draw it to ``path``, with where it is from below it. Raises ExportRefused as :func:`draw`."""
        origin = (
            f"{about['kind']} · {about['scope']} · data until {about['data until']}, build {about['build']}"
        )
        told = About(title=self.title, lines=(*self.lines, origin))
        path.write_bytes(draw(self.figure, told, self.colours, self.format))
        return Written(self.row_count, ())


@dataclass
class _Drawing:
    """The marks of one figure, in units of the plotting area, as they come."""

    x: Axis
    y: Axis
    bargap: float
    stacks: dict[tuple[str, Value], float] = field(default_factory=lambda: defaultdict(float))


def draw(figure: go.Figure, about: About, colours: Palette, format_: Picture) -> bytes:
    """The picture of ``figure``. Raises ExportRefused for a kind of chart that is not drawn."""
    import typst

    made = typst.compile(
        str(TEMPLATE),
        format=format_,
        root=str(TEMPLATE.parent),
        ignore_system_fonts=True,
        ppi=_PNG_PPI if format_ == "png" else None,
        sys_inputs={"drawing": json.dumps(with_glyphs(drawing(figure, about, colours)), ensure_ascii=False)},
    )
    if not isinstance(made, bytes):
        raise TypeError("the picture is not one page")
    return made


def drawing(figure: go.Figure, about: About, colours: Palette) -> dict[str, Any]:
    """``figure`` as the template draws it: size, colours, axes, legend, and marks between 0 and 1."""
    layout = figure.layout
    flat = [value for trace in figure.data for value in _extent(trace, layout, "x")]
    tall = [value for trace in figure.data for value in _extent(trace, layout, "y")]
    plot = _Drawing(
        x=resolved(layout.xaxis, _sums(figure, "x") + flat),
        y=resolved(layout.yaxis, _sums(figure, "y") + tall),
        bargap=float(layout.bargap or 0.0),
    )
    marks = [mark for trace in figure.data for mark in _marks(trace, plot)]
    return {
        "title": about.title,
        "lines": list(about.lines),
        "width": _WIDTH,
        "height": int(layout.height or 300),
        "colours": {
            "text": colours.text,
            "muted": colours.muted,
            "faint": colours.faint,
            "background": colours.background,
        },
        "legend": [
            {"name": trace.name, "colour": _colour(trace)}
            for trace in figure.data
            if layout.showlegend and trace.showlegend is not False and trace.name
        ],
        "x": {"ticks": plot.x.ticks, "grid": plot.x.has_grid, "title": plot.x.title},
        "y": {"ticks": plot.y.ticks, "grid": plot.y.has_grid, "title": plot.y.title},
        "marks": marks,
    }


def _extent(trace: Any, layout: Any, side: str) -> list[Value]:
    """The values of a trace that the axis ``side`` must reach."""
    values = [value for value in (trace[side] or ()) if value is not None]
    if isinstance(trace, go.Bar):
        if side == "x" and trace.orientation != "h" and trace.width and values:
            half = float(trace.width) / 2000  # Plotly states it in milliseconds
            return [*values, *(_moment(values[end], sign * half) for end, sign in ((0, -1), (-1, 1)))]
        if side == ("x" if trace.orientation == "h" else "y"):
            pairs = zip(_bases(trace), trace[side], strict=True)
            return [end for base, value in pairs if value is not None for end in (base, base + value)]
    if isinstance(trace, go.Heatmap) and side == "x":
        return [min(values) - 0.5, max(values) + 0.5]
    if side == "y" and isinstance(trace, go.Scatter) and trace.error_y.array is not None:
        return [*values, *(y + up for y, up in zip(values, trace.error_y.array, strict=True))]
    return values


def _sums(figure: go.Figure, side: str) -> list[Value]:
    """The tops of stacked bars along ``side``."""
    if figure.layout.barmode != "stack":
        return []
    sums: dict[Value, float] = defaultdict(float)
    for trace in figure.data:
        if isinstance(trace, go.Bar) and side == ("x" if trace.orientation == "h" else "y"):
            for key, value in zip(trace["y" if side == "x" else "x"], trace[side], strict=True):
                sums[key] += value or 0.0
    return list(sums.values())


def _marks(trace: Any, plot: _Drawing) -> Iterator[Mark]:
    drawers: Mapping[type, Any] = {go.Bar: _bars, go.Scatter: _points, go.Heatmap: _cells}
    draws = drawers.get(type(trace))
    if draws is None:
        raise ExportRefused(
            f"Picture refused: a chart of kind {trace.type!r} is not drawn. "
            "Export the rows behind it, and draw them elsewhere."
        )
    yield from draws(trace, plot)


def _bars(trace: go.Bar, plot: _Drawing) -> Iterator[Mark]:
    is_flat = trace.orientation == "h"
    along, across = (plot.x, plot.y) if is_flat else (plot.y, plot.x)
    colour = trace.marker.color
    texts = trace.text if trace.text is not None else [None] * len(trace.x)
    for place, (key, value, base, text) in enumerate(
        zip(trace["y" if is_flat else "x"], trace["x" if is_flat else "y"], _bases(trace), texts, strict=True)
    ):
        if value is None:
            continue
        start = base if trace.base is not None else plot.stacks["", key]
        plot.stacks["", key] = seconds(start) + float(value)
        half = _half(trace, across, plot.bargap, key)
        ends = along.at(start), along.at(start + value)
        middle = across.at(key)
        low, high = middle - half, middle + half
        box = (ends[0], low, ends[1], high) if is_flat else (low, ends[0], high, ends[1])
        fill = colour if isinstance(colour, str) else colour[place]
        yield {"kind": "box", "box": box, "colour": fill}
        if text and is_flat:
            yield {"kind": "text", "at": (ends[1], middle), "text": f" {text}", "side": "right"}


def _half(trace: go.Bar, across: Axis, bargap: float, key: Value) -> float:
    """Half the width of a bar across its axis, of 1."""
    if across.slots:
        return (1 - bargap) / across.slots / 2
    if trace.width:
        return across.at(_moment(key, float(trace.width) / 2000)) - across.at(key)
    return 0.02


def _points(trace: go.Scatter, plot: _Drawing) -> Iterator[Mark]:
    places = [
        None if x is None or y is None else (plot.x.at(x), plot.y.at(y))
        for x, y in zip(trace.x, trace.y, strict=True)
    ]
    mode = trace.mode or "lines"
    if "lines" in mode:
        yield from _lines(trace, places)
    if "markers" in mode:
        yield from _intervals(trace, plot)
        shape = "diamond" if trace.marker.symbol == "diamond" else "dot"
        size = float(trace.marker.size or 8)
        yield from (
            {"kind": shape, "at": place, "colour": trace.marker.color, "size": size}
            for place in places
            if place
        )
    if "text" in mode:
        for place, text in zip(places, trace.text, strict=True):
            if place:
                yield {"kind": "text", "at": place, "text": f" {text}", "side": "right"}


def _lines(trace: go.Scatter, places: list[tuple[float, float] | None]) -> Iterator[Mark]:
    """One line per stretch without a gap; a point alone is a dot. A filled trace is an area."""
    if trace.fill == "toself":
        points = [place for place in places if place]
        yield {"kind": "area", "points": points, "colour": _hex(trace.fillcolor)}
        return
    stretch: list[tuple[float, float]] = []
    for place in [*places, None]:
        if place is not None:
            stretch.append(place)
            continue
        if len(stretch) > 1:
            dash = "dashed" if trace.line.dash in ("dot", "dash") else "solid"
            yield {"kind": "line", "points": stretch, "colour": trace.line.color, "dash": dash}
        elif stretch:
            yield {"kind": "dot", "at": stretch[0], "colour": trace.line.color, "size": 4.0}
        stretch = []


def _intervals(trace: go.Scatter, plot: _Drawing) -> Iterator[Mark]:
    if trace.error_y.array is None:
        return
    for x, y, up, down in zip(trace.x, trace.y, trace.error_y.array, trace.error_y.arrayminus, strict=True):
        at = plot.x.at(x)
        yield {
            "kind": "line",
            "points": [(at, plot.y.at(y - down)), (at, plot.y.at(y + up))],
            "colour": trace.marker.color,
            "dash": "solid",
        }


def _cells(trace: go.Heatmap, plot: _Drawing) -> Iterator[Mark]:
    hues = [colour for _, colour in trace.colorscale][::2]
    half = (1 / plot.y.slots) / 2 if plot.y.slots else 0.5
    for name, states, texts in zip(trace.y, trace.z, trace.text, strict=True):
        for x, state, text in zip(trace.x, states, texts, strict=True):
            if state is None:
                continue
            middle, low, high = plot.y.at(name), plot.x.at(x - 0.46), plot.x.at(x + 0.46)
            box = (low, middle - half * 0.9, high, middle + half * 0.9)
            yield {"kind": "box", "box": box, "colour": hues[int(state)]}
            if text:
                yield {"kind": "text", "at": (plot.x.at(x), middle), "text": text, "side": "middle"}


def _bases(trace: go.Bar) -> list[Any]:
    length = len(trace["y" if trace.orientation == "h" else "x"])
    return list(trace.base) if trace.base is not None else [0.0] * length


def _moment(day: Value, after_s: float) -> Value:
    return dt.datetime.fromtimestamp(seconds(day) + after_s, dt.UTC)


def _colour(trace: Any) -> str:
    colour = trace.marker.color if trace.marker and trace.marker.color is not None else trace.line.color
    return _hex(colour if isinstance(colour, str) else colour[0])


def _hex(colour: str) -> str:
    """A colour of Plotly as hex: ``rgba(0,114,178,0.2)`` becomes ``#0072b233``."""
    if not colour.startswith("rgba("):
        return colour
    *parts, alpha = (float(part) for part in colour.removeprefix("rgba(").removesuffix(")").split(","))
    return "#" + "".join(f"{round(part):02x}" for part in (*parts, alpha * 255))
