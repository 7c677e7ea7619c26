"""Tables and their columns in the words of the warehouse, for who wants to ask them."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import md_escape, plural
from app.views._parts import controls
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

KINDS = {"dim_": "what there is", "fct_": "what happened", "rpt_": "sums by day, week or month"}
SHOWN = 100


def panel(page: Page) -> None:
    """Every table with its sentence and rows in scope; one of them with its columns and first rows."""
    marts = page.scoped().marts()
    wanted = controls.text("Search", "find", "Table or column, for example cost or approval").lower()
    docs = {mart: page.scoped().column_docs(mart) for mart in marts}
    found = [mart for mart in marts if _matches(wanted, mart, marts[mart], docs[mart])]
    if not found:
        empty("No table or column matches. Search for another word.")
        return
    chosen = controls.one_of_many("Table", "table", {mart: mart for mart in found})
    _one(page, chosen, marts[chosen], docs[chosen], wanted)
    with st.expander(f"All tables ({len(found)})", expanded=False):
        _all(page, {mart: marts[mart] for mart in found}, docs)


def _matches(wanted: str, mart: str, meaning: str, columns: dict[str, str]) -> bool:
    told = " ".join([mart, meaning, *columns, *columns.values()]).lower()
    return wanted in told


def _one(page: Page, mart: str, meaning: str, columns: dict[str, str], wanted: str) -> None:
    count = page.row_count(mart)
    st.markdown(f"**{md_escape(mart)}** · {md_escape(meaning)} {plural(count, 'row')} within your scope.")
    frame = page.table(mart, SHOWN)
    rows = pl.DataFrame(
        {
            "column": list(columns),
            "type": [_type_word(frame.schema[name]) for name in columns],
            "meaning": list(columns.values()),
        }
    )
    if wanted and wanted not in f"{mart} {meaning}".lower():
        told = pl.concat_str("column", "meaning", separator=" ").str.to_lowercase()
        rows = rows.filter(told.str.contains(wanted, literal=True))
    listed = [
        Column(name="column", heading="Column", width=210, pinned=True),
        Column(name="type", heading="Type", width=110),
        Column(name="meaning", heading="Meaning"),
    ]
    show(rows, listed, key=f"columns_{mart}", zone=page.zone, missing="", alt=f"Columns of {mart}")
    with st.expander(f"First rows of {md_escape(mart)}", expanded=False):
        if frame.is_empty():
            empty("No row within your scope.")
            return
        shown = [
            Column(
                name=name,
                heading=name,
                kind="time" if isinstance(kind, pl.Datetime) else "text",
                meaning=columns[name],
            )
            for name, kind in frame.schema.items()
        ]
        show(frame, shown, key=f"first_{mart}", zone=page.zone, height=320, missing="", alt=f"Rows of {mart}")


def _all(page: Page, marts: dict[str, str], docs: dict[str, dict[str, str]]) -> None:
    rows = pl.DataFrame(
        {
            "table": list(marts),
            "kind": [KINDS.get(mart[:4], "") for mart in marts],
            "rows": [page.row_count(mart) for mart in marts],
            "columns": [len(docs[mart]) for mart in marts],
            "meaning": list(marts.values()),
        }
    )
    listed = [
        Column(name="table", heading="Table", width=190, pinned=True),
        Column(name="kind", heading="Says", width=180),
        Column(name="rows", heading="Rows", kind="count", width=85),
        Column(name="columns", heading="Columns", kind="count", width=80),
        Column(name="meaning", heading="Meaning"),
    ]
    show(rows, listed, key="tables", zone=page.zone, missing="", alt="Tables")


def _type_word(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Decimal):
        return "decimal"
    if isinstance(kind, pl.Datetime):
        return "time, UTC"
    words: dict[type[pl.DataType], str] = {pl.String: "text", pl.Boolean: "yes or no", pl.Date: "date"}
    return words.get(kind.base_type(), "number")
