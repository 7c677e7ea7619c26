"""Log and export: filter, look at the rows and what each column means, and take them out with a manifest."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.labels import count, md_escape, plural
from app.views._parts import controls
from app.views._parts.controls import Period
from app.views._parts.exporting import TABLES, export_panel, past_exports
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.tables import Column, every_column, show

PREVIEW = 200


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Log and export", "Which rows, what do they mean, and who took them?")
    page.built()
    marts = page.scoped().marts()
    offered = {name: TABLES.get(name, name) for name in sorted(marts, key=_place)}
    which, when, whose = st.columns([2, 3, 2], vertical_alignment="center")
    with which:
        mart = controls.one_of_many("Table", "table", offered)
    with when:
        period = controls.period(page)
    with whose:
        team = controls.team(page)
    filters: dict[str, str | dt.date] = {}
    columns = page.scoped().column_docs(mart)
    if mart.startswith(("fct_", "rpt_")):
        filters |= {"first_date": period.first_date, "last_date": period.last_date}
    if team and "team_id" in columns:
        filters["team_id"] = team
    rows = page.row_count(mart, **filters)
    st.markdown(_sentence(offered[mart], rows, filters, period))
    export_panel(page, mart, filters, rows)
    st.caption(_log(page))
    preview, meanings, before = st.tabs(["Rows", "Columns", "Past exports"])
    with preview:
        _preview(page, mart, filters, rows, columns)
    with meanings:
        _all_tables(page)
        _columns(page, mart, columns)
    with before:
        past_exports(page)


def _all_tables(page: Page) -> None:
    """The page about every table of the build, where `fleetbook build` has made it."""
    file = page.built().path / "docs.html"
    if file.exists():
        st.download_button(
            "All tables and metrics as one page",
            file.read_bytes(),
            file_name=f"tables-build-{page.built().build_id}.html",
            mime="text/html",
            icon=":material/menu_book:",
            on_click="ignore",
        )


def _log(page: Page) -> str:
    """What the build was made from: events, and the signed checkpoint it goes up to."""
    build = page.ask("freshness").row(0, named=True)
    told = f"Build {page.built().build_id} read {plural(build['event_count'], 'event')} of the log"
    if not build["checkpoint_size"]:
        return (
            f"{told}; no signed checkpoint yet (`fleetbook notarise`). `fleetbook verify` recomputes the log."
        )
    root = str(build["checkpoint_root"])[:16]
    size = plural(build["checkpoint_size"], "manifest line")
    return f"{told}; signed checkpoint of {size}, root {md_escape(root)}…. `fleetbook verify` recomputes it."


def _place(mart: str) -> int:
    """Place of a table in the list: as TABLES has it, tables without a word last."""
    return list(TABLES).index(mart) if mart in TABLES else len(TABLES)


def _sentence(name: str, rows: int, filters: dict[str, str | dt.date], period: Period) -> str:
    when = f"of {period.words}" if "first_date" in filters else "of all time"
    return f"**{plural(rows, 'row')}** of {md_escape(name)} {when}, within your scope."


def _preview(
    page: Page, mart: str, filters: dict[str, str | dt.date], rows: int, columns: dict[str, str]
) -> None:
    if not rows:
        empty("No row matches. Choose a longer period or all teams.")
        return
    frame = page.table(mart, PREVIEW, **filters)
    if rows > PREVIEW:
        st.caption(f"The first {PREVIEW} of {count(rows)} rows; the export holds all of them.")
    show(
        frame,
        every_column(frame, columns),
        key=f"rows_{mart}",
        zone=page.zone,
        height="auto",
        missing="",
        alt="Rows",
    )


def _columns(page: Page, mart: str, columns: dict[str, str]) -> None:
    st.markdown(md_escape(page.scoped().marts()[mart]))
    rows = pl.DataFrame({"column": list(columns), "meaning": list(columns.values())})
    listed = [Column(name="column", heading="Column", width=220), Column(name="meaning", heading="Meaning")]
    show(rows, listed, key=f"columns_{mart}", zone=page.zone, missing="", alt="Columns")


if __name__ == "__main__":
    render()
