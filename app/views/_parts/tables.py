"""Tables: numbers written for people and sorted as numbers, unknown in words, a click on a name opens it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import streamlit as st

from app import labels
from app.export.page_pdf import TableShown
from app.views._parts import printed

Kind = Literal[
    "text", "number", "count", "money", "share", "points", "duration", "ago", "time", "day", "yes", "trend"
]

_FORMATS: Mapping[Kind, Callable[[Any], str]] = {
    "number": labels.number,
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


def every_column(frame: pl.DataFrame, meanings: Mapping[str, str]) -> list[Column]:
    """All columns of ``frame`` under their own names, each with its sentence."""
    return [
        Column(
            name=name,
            heading=name,
            kind="time" if isinstance(kind, pl.Datetime) else "text",
            meaning=meanings.get(name, ""),
        )
        for name, kind in frame.schema.items()
    ]


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
    printed.add(key, lambda: [_shown(frame, columns, rows, missing, alt)])
    grey = {c.name: frame[c.grey_when].fill_null(False).to_list() for c in columns if c.grey_when}
    if grey:
        styled = styled.apply(
            lambda cells: ["color: #8A949E" if small else "" for small in grey[cells.name]], subset=list(grey)
        )
    is_plain = not grey and not any(column.kind in _FORMATS for column in columns)
    st.dataframe(
        rows if is_plain else styled,  # the styler takes 50 ms for a hundred rows of fifty columns
        hide_index=True,
        height=height,
        placeholder=missing,
        column_config={column.name: _config(column, key) for column in columns},
        key=key,
        alt=alt or None,
    )
    clicked = st.session_state.get(f"{key}_open")
    return None if clicked is None else int(clicked["row"])


def _shown(
    frame: pl.DataFrame, columns: Sequence[Column], rows: pd.DataFrame, missing: str, alt: str
) -> TableShown:
    """The table on paper: every row, each cell as the page writes it; a trend is for the screen alone."""
    kept = [column for column in columns if column.kind != "trend"]
    cells = [[_on_paper(cell, column, missing) for cell in rows[column.name]] for column in kept]
    return TableShown(
        title=alt,
        head=[column.heading for column in kept],
        rows=[list(row) for row in zip(*cells, strict=True)],
        numbers=[column.kind in _FORMATS for column in kept],
    )


def _on_paper(cell: object, column: Column, missing: str) -> str:
    if cell is None or cell is pd.NaT or cell != cell:
        return missing
    if column.kind in _FORMATS:
        return _FORMATS[column.kind](cell)
    if isinstance(cell, dt.datetime):
        return f"{cell:%-d %b %Y, %H:%M}"
    return f"{cell:%-d %b %Y}" if isinstance(cell, dt.date) else str(cell)


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
