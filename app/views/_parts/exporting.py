"""Exporting from a page: the format, the button, the finished files, and the exports made before."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from app.export.formats import FORMATS, XLSX_MAX_ROWS, Format
from app.export.manifest import MANIFEST_NAME
from app.export.package import Export, past
from app.export.service import export_table
from app.labels import count, md_escape, moment, plural
from app.views._parts import controls
from app.views._parts.page import Page, empty

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
_MADE = "export_made"


def export_panel(page: Page, mart: str, filters: dict[str, str | dt.date], rows: int) -> None:
    """Choose a format, export, and take the files; a refusal is said in its own words."""
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
        _made(page, mart, *st.session_state[_MADE])


def _made(page: Page, mart: str, export: Export, event_id: str) -> None:
    """The export just made, for the person who made it: the switch may have changed who looks."""
    manifest = export.manifest
    if (manifest.person_id, manifest.mart) != (page.person.person_id, mart) or not export.data_file.exists():
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


def past_exports(page: Page) -> None:
    """Exports this person may see, each with its files."""
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
