"""From a number or a chart to its rows: its definition, its SQL, the rows behind it, and taking them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from app import charts
from app.errors import PRODUCT_ERRORS
from app.export.formats import Format
from app.export.package import Export, Order, Rows
from app.export.page_pdf import ChartShown
from app.export.picture import PICTURES, Drawn
from app.export.service import Asked, export_order, export_rows
from app.labels import Number, count, md_escape, plain_text, plural
from app.views._parts import exporting, printed
from app.views._parts.page import Filter, Page, current
from app.views._parts.tables import every_column, show
from app.warehouse import Statement

_KNOWN = "fleetbook_behind"
_OPENED = "fleetbook_behind_opened"
PREVIEW = 100
LIVE_BUILD = "live"
"""What the manifest of live rows says in place of a build."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """Rows of the build: the statement that gives them, what they were cut by, what their columns mean."""

    statement: Callable[[], Statement]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    meanings: Callable[[], Mapping[str, str]] = dict

    def asked(self, one: Behind) -> Asked:
        """The rows as they leave."""
        given = {name: str(value) for name, value in self.filters.items() if value not in (None, "")}
        return Asked(
            name=one.key,
            statement=self.statement(),
            filters=given,
            meanings=self.meanings(),
            made_by=one.made_by,
        )


@dataclass(frozen=True, kw_only=True)
class Live:
    """Rows read beside the build: the rows, and in a sentence where they are read from."""

    rows: Callable[[], pl.DataFrame]
    origin: str
    meanings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What stands behind one number or chart. ``key`` names it on its page, in files and in manifests.

    ``made_by`` is the SQL aggregate over the rows that gives the number, ``write`` how the number is shown;
    a chart has neither: its rows are what the figure ``drawn`` shows, and ``caption`` says how to read it.
    """

    key: str
    label: str
    meaning: str
    source: Built | Live
    made_by: str = ""
    write: Callable[[Number | None], str] | None = None
    drawn: go.Figure | None = None
    caption: str = ""


def begin() -> None:
    """Before a page is drawn: nothing of the page before is behind anything."""
    st.session_state[_KNOWN] = {}


def known() -> dict[str, Behind]:
    """What stands behind the numbers and charts of the page as drawn, by key."""
    found: dict[str, Behind] = st.session_state.setdefault(_KNOWN, {})
    return found


def button(one: Behind, *, is_alone: bool = False) -> None:
    """The button that opens the rows. ``is_alone``: it stands in a part that refreshes by itself."""
    known()[one.key] = one
    clicked = st.button(
        "Rows",
        key=f"behind_{one.key}",
        type="tertiary",
        icon=":material/table_rows:",
        help="Definition, SQL, the rows behind it, and export",
        on_click=_open,
        args=(one.key,),
    )
    if clicked and is_alone:
        st.rerun()


def chart(one: Behind, figure: go.Figure, *, caption: str = "", is_alone: bool = False) -> None:
    """A chart, below it how to read it, and the button that opens what it draws."""
    printed.add(
        one.key,
        lambda: [
            ChartShown(figure=figure, title=one.label, caption=plain_text(caption), colours=current().colours)
        ],
    )
    st.plotly_chart(figure, config=charts.CONFIG, key=one.key, alt=one.label)
    with st.container(horizontal=True, vertical_alignment="top"):
        st.caption(caption or " ", width="stretch")
        button(replace(one, drawn=figure, caption=caption), is_alone=is_alone)


def show_opened(page: Page) -> None:
    """After the page is drawn: the rows that were asked for, over it, until they are closed."""
    one = known().get(st.session_state.get(_OPENED, ""))
    if one is None:
        _close()
        return
    st.dialog(one.label, width="large", on_dismiss=_close)(_dialog)(one.key)


def _close() -> None:
    st.session_state.pop(_OPENED, None)


def _open(key: str) -> None:
    st.session_state[_OPENED] = key


def _dialog(key: str) -> None:
    page, one = current(), known()[key]
    st.markdown(one.meaning)
    try:
        if isinstance(one.source, Live):
            _live(page, one, one.source)
        else:
            _built(page, one, one.source.asked(one))
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=":material/error:")


def _built(page: Page, one: Behind, asked: Asked) -> None:
    scoped = page.scoped()
    rows = scoped.count(asked.statement)
    _made(one, rows)
    _preview(page, one, scoped.first(asked.statement, PREVIEW), rows, asked.meanings)
    with st.expander("SQL", icon=":material/code:"):
        st.caption("For DuckDB, with the scope of who looks written in:")
        st.code(asked.statement.text, language="sql", wrap_lines=True)

    def make(format_: Format, told: Callable[[int], None] | None) -> tuple[Export, str]:
        return export_rows(
            scoped,
            page.desk,
            page.export_dir,
            asked,
            format_=format_,
            is_demo=page.is_demo,
            now=page.now,
            told=told,
        )

    order = partial(
        Order,
        build_id=page.built().build_id,
        data_until=page.built().data_until or page.built().built_at,
        filters=asked.filters,
        is_demo=page.is_demo,
        sql=asked.statement.text,
    )
    _picture(page, one, rows, order)
    exporting.panel(page, one.key, rows, make, key=f"behind_{one.key}")


def _live(page: Page, one: Behind, source: Live) -> None:
    frame = source.rows()
    _made(one, frame.height)
    _preview(page, one, frame, frame.height, source.meanings)
    st.caption(f"Read live, not from the build: {source.origin}")

    order = partial(Order, build_id=LIVE_BUILD, data_until=page.now, filters={}, is_demo=page.is_live_demo)

    def make(format_: Format, told: Callable[[int], None] | None) -> tuple[Export, str]:
        rows = Rows(
            batches=[frame], row_count=frame.height, meanings=source.meanings, format=format_, told=told
        )
        made = order(scope=page.scope, mart=one.key, content=rows, suffix=format_, made_by=one.made_by)
        return export_order(made, page.desk, page.export_dir, page.now)

    _picture(page, one, frame.height, order)
    exporting.panel(page, one.key, frame.height, make, key=f"behind_{one.key}")


def _picture(page: Page, one: Behind, rows: int, order: Callable[..., Order]) -> None:
    """Take a chart out as a picture: an export like any other, with a manifest and an event."""
    if one.drawn is None:
        return
    with st.container(horizontal=True):
        for format_ in PICTURES:
            if st.button(f"Picture as {format_.upper()}", key=f"picture_{one.key}_{format_}"):
                content = Drawn(
                    figure=one.drawn,
                    title=one.label,
                    lines=(plain_text(one.caption),) if one.caption else (),
                    colours=page.colours,
                    format=format_,
                    row_count=rows,
                )
                made = order(scope=page.scope, mart=one.key, content=content, suffix=format_)
                exporting.keep(export_order(made, page.desk, page.export_dir, page.now))


def _made(one: Behind, rows: int) -> None:
    if one.made_by:
        st.caption(f"The number, made of {plural(rows, 'row')}:")
        st.code(one.made_by, language="sql", wrap_lines=True)
    else:
        st.caption(f"What the chart draws: {plural(rows, 'row')}.")


def _preview(page: Page, one: Behind, frame: pl.DataFrame, rows: int, meanings: Mapping[str, str]) -> None:
    if frame.is_empty():
        return
    shown = frame.head(PREVIEW)
    show(
        shown,
        every_column(shown, meanings),
        key=f"rows_{one.key}",
        zone=page.zone,
        height=260,
        missing="",
        alt=f"Rows behind {one.label}",
    )
    if rows > PREVIEW:
        st.caption(f"The first {PREVIEW} of {count(rows)} rows; the export holds all of them.")


def question(page: Page, key: str, label: str, name: str, filters: Mapping[str, Filter]) -> Behind:
    """What stands behind a chart that draws the rows of question ``name``."""
    statement = partial(page.statement, name, **filters)
    return Behind(
        key=key,
        label=label,
        meaning=page.meaning(name),
        source=Built(statement=statement, filters={"question": name, **filters}),
    )
