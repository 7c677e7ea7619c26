"""Log and export: filter, look at the rows and what each column means, and take them out with a manifest."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import streamlit as st

from app.export.formats import FORMATS, XLSX_MAX_ROWS, Format
from app.export.manifest import MANIFEST_NAME
from app.export.package import Export, past
from app.export.service import export_table
from app.labels import count, md_escape, moment, plural
from app.views._parts import controls
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.tables import Column, show

TABLES = {
    "fct_runs": "Runs",
    "fct_turns": "Model turns",
    "fct_tool_calls": "Tool calls",
    "fct_approvals": "Approvals",
    "fct_charges": "Charges",
    "fct_wallet_windows": "Wallet windows",
    "fct_refusals": "Refused requests",
    "fct_exports": "Exports",
    "dim_agents": "Agents",
    "dim_agent_versions": "Agent versions",
    "dim_agent_tools": "Agent tools",
    "dim_teams": "Teams",
    "dim_people": "People",
    "rpt_agent_days": "Agent days",
}
FORMAT_WORDS = {
    "csv": "CSV, for reading",
    "parquet": "Parquet, exact",
    "xlsx": "XLSX, typed",
    "jsonl": "JSON lines, exact",
}
PREVIEW = 200
_MADE = "export_made"


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
    rows = page.scoped().row_count(mart, is_demo=page.is_demo, **filters)
    st.markdown(_sentence(offered[mart], rows, filters, period))
    _export(page, mart, filters, rows)
    preview, meanings, before = st.tabs(["Rows", "Columns", "Past exports"])
    with preview:
        _preview(page, mart, filters, rows, columns)
    with meanings:
        _columns(page, mart, columns)
    with before:
        _past(page)


def _place(mart: str) -> int:
    """Place of a table in the list: as TABLES has it, tables without a word last."""
    return list(TABLES).index(mart) if mart in TABLES else len(TABLES)


def _sentence(name: str, rows: int, filters: dict[str, str | dt.date], period: Period) -> str:
    when = f"of {period.words}" if "first_date" in filters else "of all time"
    return f"**{plural(rows, 'row')}** of {md_escape(name)} {when}, within your scope."


def _export(page: Page, mart: str, filters: dict[str, str | dt.date], rows: int) -> None:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        chosen = controls.one_of("Format", "format", FORMATS, "parquet", FORMAT_WORDS.__getitem__)
    format_: Format = next(one for one in FORMATS if one == chosen)
    if right.button(
        "Export these rows", type="primary", icon=":material/download:", disabled=rows == 0, width="stretch"
    ):
        with st.spinner("Writing the rows and the manifest"):
            export, event_id = export_table(
                page.scoped(),
                page.desk,
                page.export_dir,
                mart=mart,
                format_=format_,
                is_demo=page.is_demo,
                filters=filters,
                now=page.now,
            )
        st.session_state[_MADE] = (export, event_id)
    if format_ == "xlsx" and rows > XLSX_MAX_ROWS:
        st.caption(
            f"XLSX holds {count(XLSX_MAX_ROWS)} rows here and never cuts: {count(rows)} rows are refused. "
            "Choose Parquet, or narrow the filter."
        )
    if _MADE in st.session_state:
        _made(*st.session_state[_MADE])


def _made(export: Export, event_id: str) -> None:
    manifest = export.manifest
    if not export.data_file.exists():
        return
    st.success(
        f"{plural(manifest.row_count, 'row')} exported, complete. SHA-256 of the file "
        f"{manifest.files[0].sha256[:16]}…, event {md_escape(event_id)}.",
        icon=":material/check_circle:",
    )
    _downloads(export, "made")


def _downloads(export: Export, key: str) -> None:
    with st.container(horizontal=True):
        for path, word in (
            (export.data_file, "Download the rows"),
            (export.manifest_file, "Download the manifest"),
        ):
            st.download_button(
                word,
                data=path.read_bytes,
                file_name=path.name
                if path.name != MANIFEST_NAME
                else f"{export.manifest.mart}.{MANIFEST_NAME}",
                on_click="ignore",
                icon=":material/file_download:",
                key=f"{key}_{path.name}_{export.manifest.export_id}",
            )


def _preview(
    page: Page, mart: str, filters: dict[str, str | dt.date], rows: int, columns: dict[str, str]
) -> None:
    if not rows:
        empty("No row matches. Choose a longer period or all teams.")
        return
    asked: dict[str, Any] = dict(filters)
    frame = page.scoped().table(mart, is_demo=page.is_demo, limit=PREVIEW, offset=0, **asked)
    if rows > PREVIEW:
        st.caption(f"The first {PREVIEW} of {count(rows)} rows; the export holds all of them.")
    shown = [
        Column(
            name=name,
            heading=name,
            kind="time" if isinstance(kind, pl.Datetime) else "text",
            meaning=columns[name],
        )
        for name, kind in frame.schema.items()
    ]
    show(frame, shown, key=f"rows_{mart}", zone=page.zone, height="auto", missing="", alt="Rows")


def _columns(page: Page, mart: str, columns: dict[str, str]) -> None:
    st.markdown(md_escape(page.scoped().marts()[mart]))
    rows = pl.DataFrame({"column": list(columns), "meaning": list(columns.values())})
    listed = [Column(name="column", heading="Column", width=220), Column(name="meaning", heading="Meaning")]
    show(rows, listed, key=f"columns_{mart}", zone=page.zone, missing="", alt="Columns")


def _past(page: Page) -> None:
    exports = past(page.export_dir, page.scope)
    if not exports:
        empty("No exports yet. Each one stays here with its manifest.")
        return
    for export in exports[:20]:
        manifest = export.manifest
        with st.container(border=True, gap="xsmall"):
            st.markdown(
                f"**{md_escape(TABLES.get(manifest.mart, manifest.mart))}**, "
                f"{plural(manifest.row_count, 'row')}, {md_escape(export.data_file.suffix.lstrip('.'))}, "
                f"{moment(manifest.created, page.zone)} by {md_escape(page.name_of(manifest.person_id))}, "
                f"build {md_escape(manifest.build_id)}"
            )
            st.caption(f"{md_escape(manifest.scope)} · SHA-256 {manifest.files[0].sha256}")
            _downloads(export, "past")
    if len(exports) > 20:
        st.caption(f"{len(exports) - 20} older ones are in the folder exports of the workspace.")


if __name__ == "__main__":
    render()
