"""Exporting from a page: the format, the button, the finished files, and the exports made before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.export import interrupted, links
from app.export.formats import FORMATS, XLSX_MAX_ROWS, Format
from app.export.jobs import BIG_ROWS, Job, Jobs
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
_LARGEST_BYTES = 20_000_000
"""A file up to this size goes through the page; a larger one is streamed from its own address."""
_LOOK_S = 2

Made = tuple[Export, str]
"""An export and its event."""

Make = Callable[[Format, Callable[[int], None] | None], tuple[Export, str]]
"""Makes the export in a format, telling rows written so far, and returns it with its event."""


def export_panel(page: Page, mart: str, filters: dict[str, str | dt.date], rows: int) -> None:
    """Export the rows of a table with these filters."""

    def make(format_: Format, told: Callable[[int], None] | None) -> tuple[Export, str]:
        return export_table(
            page.scoped(),
            page.desk,
            page.export_dir,
            mart=mart,
            format_=format_,
            is_demo=page.is_demo,
            filters=filters,
            now=page.now,
            told=told,
        )

    panel(page, mart, rows, make, key="table", is_in_url=True)


def panel(page: Page, name: str, rows: int, make: Make, *, key: str, is_in_url: bool = False) -> None:
    """Choose a format, export, and take the files; a refusal is said in its own words.

    ``name`` is what the manifest calls the rows; many rows are exported in the background. The URL carries
    the format where the page is about this export.
    """
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        chosen = _format_in_url() if is_in_url else _format(key)
    format_: Format = next((one for one in FORMATS if one == chosen), "parquet")
    if right.button(
        "Export these rows",
        type="primary",
        icon=":material/download:",
        width="stretch",
        key=f"{key}_export",
    ):
        _export(page, name, rows, format_, make)
    if format_ == "xlsx" and rows > XLSX_MAX_ROWS:
        st.caption(
            f"XLSX holds {count(XLSX_MAX_ROWS)} rows here and never cuts: {count(rows)} rows are refused. "
            "Choose Parquet, or narrow the filter."
        )
    offer(page, name)
    _background(page.person.person_id, name)


def _format_in_url() -> str:
    return controls.one_of("Format", "format", FORMATS, "parquet", FORMAT_WORDS.__getitem__)


def _format(key: str) -> str | None:
    return st.segmented_control(
        "Format",
        FORMATS,
        format_func=FORMAT_WORDS.__getitem__,
        default="parquet",
        required=True,
        key=f"{key}_format",
        label_visibility="collapsed",
    )


def _export(page: Page, name: str, rows: int, format_: Format, make: Make) -> None:
    """Now, or in the background when it would take long; who may not export is told at once."""
    try:
        page.desk.may_export(page.person.person_id)
        if rows >= BIG_ROWS:
            _jobs().start(page.person.person_id, name, rows, partial(make, format_))
            return
        with st.spinner("Writing the rows and the manifest"):
            keep(make(format_, None))
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=":material/error:")


def keep(made: Made) -> None:
    """Offer the files of an export just made wherever its rows are offered."""
    st.session_state[_MADE] = made


@st.cache_resource(show_spinner=False)
def _jobs() -> Jobs:
    """The background exports of this process."""
    return Jobs()


def _background(person_id: str, name: str) -> None:
    """The person's exports of these rows in the background; while one is being made it is watched."""
    mine = [job for job in _jobs().of(person_id) if job.name == name]
    if any(job.state in ("waiting", "running") for job in mine):
        _watch(person_id, name)
    else:
        for job in mine[:1]:
            _told(job)


@st.fragment(run_every=_LOOK_S)
def _watch(person_id: str, name: str) -> None:
    for job in [job for job in _jobs().of(person_id) if job.name == name]:
        _told(job)


def _told(job: Job) -> None:
    if job.state == "failed":
        st.error(md_escape(job.problem), icon=":material/error:")
    elif job.made is not None:
        _finished(*job.made, key=f"job_{job.job_id}")
    else:
        st.progress(
            min(job.rows_done / job.of_rows, 1.0) if job.of_rows else 0.0,
            text=f"{count(job.rows_done)} of {count(job.of_rows)} rows written in the background, "
            f"{job.state}. It goes on when you leave; the files appear under Past exports.",
        )


def offer(page: Page, name: str) -> None:
    """The export of ``name`` just made, to the person who made it: the switch may have changed who looks."""
    if _MADE not in st.session_state:
        return
    made: Made = st.session_state[_MADE]
    export, event_id = made
    manifest = export.manifest
    if (manifest.person_id, manifest.mart) == (page.person.person_id, name) and export.data_file.exists():
        _finished(export, event_id, key="made")


def _finished(export: Export, event_id: str, *, key: str) -> None:
    manifest = export.manifest
    st.success(
        f"{plural(manifest.row_count, 'row')} exported, complete. SHA-256 of the file "
        f"{manifest.files[0].sha256[:16]}…, event {md_escape(event_id)}.",
        icon=":material/check_circle:",
    )
    downloads(export, key)


def downloads(export: Export, key: str) -> None:
    """The file and its manifest, to take away; ``key`` tells two places on one page apart."""
    with st.container(horizontal=True):
        for path, word in (
            (export.data_file, "Download the file"),
            (export.manifest_file, "Download the manifest"),
        ):
            if path.stat().st_size > _LARGEST_BYTES:
                st.link_button(word, links.link(path), icon=":material/file_download:")
                continue
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
    """Exports this person may see, each with its files, and those that were interrupted."""
    for begun in interrupted.since_the_last_start(page.export_dir):
        if page.scope.team_ids is None or begun.person_id == page.person.person_id:
            st.warning(md_escape(begun.told), icon=":material/error:")
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
            downloads(export, "past")
    if len(exports) > 20:
        st.caption(f"{len(exports) - 20} older ones are in the folder exports of the workspace.")
