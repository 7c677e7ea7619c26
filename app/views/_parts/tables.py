"""Tables: numbers written for people and sorted as numbers, unknown in words, a click on a name opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from app import labels

Kind = Literal["text", "count", "money", "share", "points", "duration", "ago", "time", "day", "yes", "trend"]

_FORMATS: Mapping[Kind, Callable[[Any], str]] = {
    "count": labels.count,
    "money": labels.money,
    "share": labels.share,
    "points": labels.points,
    "duration": labels.duration,
    "ago": labels.ago,
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table: its name in the rows, its heading, what it holds, and its definition.

    ``grey_when`` names a boolean column of the rows: where it is true the cell is grey (small n).
    """

    name: str
    heading: str
    kind: Kind = "text"
    meaning: str = ""
    width: int | None = None
    grey_when: str = ""
    opens: bool = False
    pinned: bool = False


def show(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    *,
    key: str,
    zone: ZoneInfo,
    height: int | Literal["auto", "content"] = "content",
    missing: str = labels.UNKNOWN,
    alt: str = "",
) -> int | None:
    """Show ``frame`` with ``columns``; return the row whose ``opens`` cell was clicked, else None."""
    rows = frame.select(_plain(frame, column, zone) for column in columns).to_pandas()
    styled = rows.style.format(
        {column.name: _FORMATS[column.kind] for column in columns if column.kind in _FORMATS}, na_rep=missing
    )
    grey = {c.name: frame[c.grey_when].fill_null(False).to_list() for c in columns if c.grey_when}
    if grey:
        styled = styled.apply(
            lambda cells: ["color: #8A949E" if small else "" for small in grey[cells.name]], subset=list(grey)
        )
    st.dataframe(
        styled,
        hide_index=True,
        height=height,
        placeholder=missing,
        column_config={column.name: _config(column, key) for column in columns},
        key=key,
        alt=alt or None,
    )
    clicked = st.session_state.get(f"{key}_open")
    return None if clicked is None else int(clicked["row"])


def _plain(frame: pl.DataFrame, column: Column, zone: ZoneInfo) -> pl.Expr:
    kind = frame.schema[column.name]
    cells = pl.col(column.name)
    if isinstance(kind, pl.Decimal):
        return cells.cast(pl.Float64)
    if column.kind == "time":
        return cells.dt.convert_time_zone(zone.key).dt.replace_time_zone(None)
    if column.kind == "yes":
        return pl.when(cells).then(pl.lit("yes")).otherwise(pl.lit(""))
    return cells


def _config(column: Column, key: str) -> Any:
    kinds = st.column_config
    common: dict[str, Any] = {
        "label": column.heading,
        "help": column.meaning or None,
        "width": column.width,
        "pinned": column.pinned,
    }
    if column.opens:
        return kinds.ButtonColumn(type="tertiary", alignment="left", key=f"{key}_open", **common)
    if column.kind == "trend":
        return kinds.BarChartColumn(y_min=0, color="primary", **common)
    if column.kind == "time":
        return kinds.DatetimeColumn(format="D MMM YYYY, HH:mm", **common)
    if column.kind == "day":
        return kinds.DateColumn(format="D MMM YYYY", **common)
    return kinds.Column(alignment="right" if column.kind in _FORMATS else None, **common)
