"""Asking in SQL: worked questions to begin with, a query, its rows as table or chart, and the way out."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import streamlit as st

from app import answer_chart, charts, identity
from app.errors import QueryRefused, QueryStopped
from app.export.formats import Format
from app.export.package import Export
from app.labels import count, md_escape, plural
from app.live.querying import Queries
from app.views._parts import controls, exporting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, Kind, show
from app.workbench.asking import MAX_SQL_CHARACTERS, Answer, Limits, Workbench
from app.workbench.extracts import FOLDER, Extracts
from app.workbench.questions import worked_questions
from app.workbench.taking import NAME, export_answer

_ANSWER = "sql_answer"
_TEXT = "sql_text"
_PICKED = "sql_question"
_HEIGHT = 230


def panel(page: Page) -> None:
    """The query, and below it the answer to the last one of this person."""
    _begin_with(page)
    with st.form("sql", border=False):
        sql = st.text_area(
            "Query",
            key=_TEXT,
            height=_HEIGHT,
            max_chars=MAX_SQL_CHARACTERS,
            label_visibility="collapsed",
            placeholder="select agent_id, count(*) from fct_runs group by agent_id order by 2 desc",
        )
        asked = st.form_submit_button("Ask", type="primary", icon=":material/play_arrow:")
    limits = Limits()
    st.caption(
        f"Your own extract of build {md_escape(page.built().build_id)}: only rows you may see, "
        f"{'demo' if page.is_demo else 'real'} ones, without texts of prompts and answers. At most "
        f"{limits.seconds} s and {count(limits.rows)} rows. Each query is logged with its text."
    )
    if asked and (sql or "").strip():
        _ask(page, str(sql).strip())
    _answered(page)


def _begin_with(page: Page) -> None:
    """A worked question, whose SQL replaces what is in the box when another one is chosen."""
    known = {str(one.number): f"{one.number}. {one.title}" for one in worked_questions()}
    chosen = controls.select("Worked question", "question", known, anything="Begin with a worked question")
    if chosen and st.session_state.get(_PICKED) != chosen:
        one = next(one for one in worked_questions() if str(one.number) == chosen)
        st.session_state[_TEXT] = one.over(is_demo=page.is_demo)
    st.session_state[_PICKED] = chosen


def _ask(page: Page, sql: str) -> None:
    st.session_state.pop(_ANSWER, None)
    try:
        with st.spinner("Asking; the first query of a build takes a little longer"):
            answer = _workbench(str(identity.home_folder())).ask(
                page.scoped(), Queries(page.desk), sql, is_demo=page.is_demo
            )
    except (QueryRefused, QueryStopped) as error:
        first, _, rest = str(error).partition("\n")
        st.warning(md_escape(first), icon=":material/block:")
        if rest.strip():
            st.code(rest.strip(), language=None, wrap_lines=True)
        return
    st.session_state[_ANSWER] = (page.person.person_id, page.is_demo, sql, answer)


@st.cache_resource(show_spinner=False)
def _workbench(home: str) -> Workbench:
    """One workbench per workspace and process; ``home`` is the key of the cache."""
    return Workbench(Extracts(identity.premises().workspace.build_dir / FOLDER))


def _answered(page: Page) -> None:
    """The last answer, for the person who asked: the switch may have changed who looks."""
    if _ANSWER not in st.session_state:
        return
    person_id, is_demo, sql, answer = st.session_state[_ANSWER]
    if (person_id, is_demo) != (page.person.person_id, page.is_demo):
        return
    rows: pl.DataFrame = answer.rows
    if rows.is_empty():
        empty("The query was answered: no row.")
        return
    cut = "" if answer.is_complete else ", the first ones: the query has more"
    st.markdown(f"**{plural(rows.height, 'row')}**{cut} · {answer.seconds:.1f} s")
    table, chart, out = st.tabs(["Table", "Chart", "Export"])
    with table:
        shown = [Column(name=name, heading=name, kind=_kind(kind)) for name, kind in rows.schema.items()]
        show(rows, shown, key="sql_rows", zone=page.zone, height="auto", missing="", alt="Answer")
    with chart:
        _chart(page, rows)
    with out:
        _export(page, sql, answer)


def _kind(kind: pl.DataType) -> Kind:
    if isinstance(kind, pl.Datetime):
        return "time"
    if isinstance(kind, pl.Date):
        return "day"
    return "number" if kind.is_numeric() else "text"


def _chart(page: Page, rows: pl.DataFrame) -> None:
    able = answer_chart.choices(rows)
    if not able.up:
        empty("No column of this answer is a number.")
        return
    left, right = st.columns(2)
    along = left.selectbox("Along", able.along, key="sql_along")
    up = right.selectbox("Up", [name for name in able.up if name != along] or able.up, key="sql_up")
    if along is None or up is None:
        return
    st.plotly_chart(answer_chart.figure(rows, along, up, page.colours), config=charts.CONFIG, key="sql_chart")
    if rows.height > answer_chart.MAX_POINTS:
        st.caption(f"The first {count(answer_chart.MAX_POINTS)} rows are drawn.")


def _export(page: Page, sql: str, answer: Answer) -> None:
    if not answer.is_complete:
        empty("The query has more rows than were read, and an export is never cut. Narrow the query.")
        return

    def make(format_: Format, _told: Callable[[int], None] | None) -> tuple[Export, str]:
        return export_answer(
            page.scoped(),
            page.desk,
            page.export_dir,
            answer=answer,
            sql=sql,
            format_=format_,
            is_demo=page.is_demo,
            now=page.now,
        )

    exporting.panel(page, NAME, answer.rows.height, make, key="sql")
