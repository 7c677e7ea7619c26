"""An axis of a Plotly figure resolved for drawing: where a value stands between 0 and 1, and its ticks."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Value = float | dt.date | str
_TICKS = 6
_DAY = 86_400.0
_DAY_STEPS = (1, 2, 7, 14, 28, 56, 91, 182, 365)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """``at`` places a value between 0 and 1; ``ticks`` are places with labels; an unseen axis has none."""

    at: Callable[[Value], float]
    ticks: tuple[tuple[float, str], ...]
    has_grid: bool
    title: str
    slots: int
    """Categories of the axis, 0 for an axis of numbers or days."""


def resolved(layout: Any, values: Sequence[Value]) -> Axis:
    """The axis with Plotly layout ``layout`` that shows ``values``: numbers, days or category names."""
    if any(isinstance(value, str) for value in values):
        return _categories(layout, [str(value) for value in values])
    if any(isinstance(value, dt.date) for value in values):
        return _days(layout, [seconds(value) for value in values])
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return _logarithm(layout, numbers) if layout.type == "log" else _numbers(layout, numbers)


def seconds(value: Value) -> float:
    """A day or a moment as seconds since 1970 (UTC); a number stays."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), dt.UTC).timestamp()
    return float(value)


def written(number: float, pattern: str | None, suffix: str | None) -> str:
    """A tick's number in the d3 format of the figure: ``,.0f``, ``.0%`` and ``~g`` are those in use."""
    text = f"{number:g}" if pattern in (None, "", "~g") else format(number, str(pattern))
    return f"{text}{suffix or ''}"


def _scaled(low: float, high: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda number: (number - low) / span


def _categories(layout: Any, values: Sequence[str]) -> Axis:
    names = list(layout.categoryarray or dict.fromkeys(values))
    turned = layout.autorange == "reversed"
    place = {name: (place + 0.5) / len(names) for place, name in enumerate(names[::-1] if turned else names)}
    ticks = tuple((at, name) for name, at in place.items()) if layout.visible is not False else ()
    return Axis(at=lambda value: place[str(value)], ticks=ticks, has_grid=False, title="", slots=len(names))


def _days(layout: Any, values: Sequence[float]) -> Axis:
    low, high = map(seconds, layout.range) if layout.range else (min(values), max(values))
    scale = _scaled(low, high)
    days = (high - low) / _DAY
    step = next((step for step in _DAY_STEPS if days / step <= _TICKS + 2), _DAY_STEPS[-1]) * _DAY
    pattern = "%b %Y" if layout.tickformat == "%b %Y" else "%-d %b"
    shown: Iterable[float] = (
        map(seconds, layout.tickvals)
        if layout.tickvals
        else _steps(low, high, step, first=math.ceil(min(values) / _DAY) * _DAY)
    )
    ticks = [(scale(one), f"{dt.datetime.fromtimestamp(one, dt.UTC):{pattern}}") for one in shown]
    return _of_numbers(layout, lambda value: scale(seconds(value)), ticks)


def _numbers(layout: Any, values: Sequence[float]) -> Axis:
    low, high = (float(end) for end in layout.range) if layout.range else (min(values), max(values))
    if not layout.range:
        if layout.rangemode == "tozero":
            low, high = min(low, 0.0), max(high, 0.0)
        high += (high - low) * 0.04 or 1.0
    scale = _scaled(low, high)
    ticks = [
        (scale(one), written(one, layout.tickformat, layout.ticksuffix))
        for one in _steps(low, high, _round(high - low))
    ]
    return _of_numbers(layout, lambda value: scale(seconds(value)), ticks)


def _logarithm(layout: Any, values: Sequence[float]) -> Axis:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = high if high > low else low + 1
    scale = _scaled(low, high)
    ticks = [(scale(power), f"{10.0**power:g}") for power in range(low, high + 1)]
    return _of_numbers(layout, lambda value: scale(math.log10(seconds(value))), ticks)


def _of_numbers(layout: Any, at: Callable[[Value], float], ticks: Sequence[tuple[float, str]]) -> Axis:
    is_seen = layout.visible is not False
    return Axis(
        at=at,
        ticks=tuple(ticks) if is_seen else (),
        has_grid=is_seen and layout.showgrid is not False,
        title=(layout.title.text or "") if is_seen else "",
        slots=0,
    )


def _round(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that gives about six ticks over ``span``."""
    raw = span / _TICKS or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next((factor for factor in (1, 2, 5) if factor * power >= raw), 10) * power


def _steps(low: float, high: float, step: float, first: float | None = None) -> list[float]:
    start = math.ceil(low / step - 1e-9) * step if first is None else first
    return [start + step * place for place in range(int((high - start) / step + 1e-9) + 1)]
