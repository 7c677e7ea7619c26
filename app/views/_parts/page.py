"""What a page stands on in one run: the person, the warehouse asked for once, and cached questions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from app import palette
from app.desk import Desk, Person, Wallet
from app.errors import PRODUCT_ERRORS
from app.labels import clock, md_escape
from app.live import health
from app.warehouse import QUESTIONS, Scope, Scoped, Statement, Warehouse

_KEY = "fleetbook_page"
DEMO_BANNER = ":orange-badge[:material/science: Demo data, no real money]"
_IDLE_DAYS = 28

Filter = str | int | bool | dt.date | tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One run of one page. ``is_demo`` says which rows it shows; demo and real rows are never mixed.

    ``is_live_demo`` says which of the two the live rows (approvals, wallets) of this workspace are.
    ``is_picked`` says that nobody signed in and the person was picked; else ``signed_in_until`` is the end
    of the sign-in.
    """

    person: Person
    scope: Scope
    desk: Desk
    warehouse: Warehouse | None
    export_dir: Path
    names: Mapping[str, str]
    team_names: Mapping[str, str]
    zone: ZoneInfo
    now: dt.datetime
    is_demo: bool
    is_live_demo: bool
    colours: palette.Palette
    is_picked: bool
    signed_in_until: dt.datetime | None

    @property
    def team_colours(self) -> dict[str, str]:
        """Team to colour, the same on every page and for every person."""
        return palette.team_colours(list(self.team_names), self.colours)

    @property
    def teams_seen(self) -> dict[str, str]:
        """Teams within the scope, id to name: what a team filter may offer."""
        seen = self.team_names if self.scope.team_ids is None else self.scope.team_ids
        return {team: self.team_names.get(team, team) for team in seen}

    @property
    def shows_live(self) -> bool:
        """True when the live rows of the workspace are of the kind the page shows."""
        return self.is_demo == self.is_live_demo

    def name_of(self, person_id: object) -> str:
        """The person's name where the directory has one, else the id."""
        return self.names.get(str(person_id), str(person_id)) if person_id else "nobody"

    def team(self, team_id: object) -> str:
        """The team's name where the directory has one, else the id."""
        return self.team_names.get(str(team_id), str(team_id)) if team_id else "no team"

    def named(self, column: str) -> pl.Expr:
        """A column of person ids as names."""
        return pl.col(column).replace(dict(self.names)).fill_null("nobody")

    def teamed(self, column: str) -> pl.Expr:
        """A column of team ids as names."""
        return pl.col(column).replace(dict(self.team_names)).fill_null("no team")

    def owner(self, wallet: Wallet) -> str:
        """Whose wallet it is: the name of the team or of the agent."""
        if wallet.wallet_kind == "team":
            return self.team(wallet.owner_id)
        return self.agent_names().get(wallet.owner_id, wallet.owner_id)

    def agent_names(self) -> dict[str, str]:
        """Agents within the scope, id to name; empty before the first build."""
        if self.warehouse is None:
            return {}
        rows = self.ask("agents").select("agent_id", "agent_name").rows()
        return {agent_id: name or agent_id for agent_id, name in rows}

    def built(self) -> Warehouse:
        """The warehouse; without one the page ends with the sentence that says which command builds it."""
        if self.warehouse is None:
            nothing("There is no warehouse yet. It fills this page with agents, runs and costs.", "build")
        return self.warehouse

    def scoped(self) -> Scoped:
        """The warehouse as this person may see it."""
        return self.built().for_person(self.scope)

    def ask(self, question: str, **filters: Filter) -> pl.DataFrame:
        """Rows of a named question within the person's scope, cached per build, scope and person."""
        return _ask(str(self.built().path), self.scope, self.is_demo, question, filters)

    def table(self, mart: str, limit: int, **filters: Filter) -> pl.DataFrame:
        """The first ``limit`` rows of a table within the scope, cached as :meth:`ask`."""
        return _table(str(self.built().path), self.scope, self.is_demo, mart, limit, filters)

    def row_count(self, mart: str, **filters: Filter) -> int:
        """How many rows the table has with these filters within the scope, cached as :meth:`ask`."""
        return _row_count(str(self.built().path), self.scope, self.is_demo, mart, filters)

    def rows_of(self, measure: str, **filters: Filter) -> Statement:
        """The SQL of the rows behind a measure; its meaning is the measure's definition."""
        return self.scoped().behind_statement(
            measure, is_demo=self.is_demo, limit=None, offset=0, **_given(filters)
        )

    def docs_of(self, measure: str) -> dict[str, str]:
        """The columns of the rows behind a measure, each with its sentence."""
        scoped = self.scoped()
        return scoped.column_docs(scoped.metric(measure).fact)

    def meaning(self, question: str) -> str:
        """What the rows of a named question are, in one sentence."""
        return QUESTIONS[question].meaning

    def statement(self, question: str, **filters: Filter) -> Statement:
        """The SQL of a named question within the person's scope, as :meth:`ask` runs it."""
        return self.scoped().statement(question, is_demo=self.is_demo, **_given(filters))

    def newest_date(self) -> dt.date:
        """The day of the newest event of the rows shown."""
        fresh = self.ask("freshness").row(0, named=True)
        until: dt.datetime = fresh["demo_data_until" if self.is_demo else "real_data_until"] or self.now
        return until.astimezone(self.zone).date()

    def last_date(self) -> dt.date:
        """The day a period ends on: the newest data, or the last run when nothing ran for four weeks."""
        newest, runs = self.newest_date(), self.run_days()
        return runs[1] if runs and self.is_idle(newest) else newest

    def is_idle(self, day: dt.date) -> bool:
        """True when the last run within the scope was more than four weeks before ``day``."""
        runs = self.run_days()
        return runs is not None and (day - runs[1]).days > _IDLE_DAYS

    def run_days(self) -> tuple[dt.date, dt.date] | None:
        """Day of the first and of the last run within the scope; None without runs."""
        seen = self.ask("agents").select(pl.col("first_run_at").min(), pl.col("last_run_at").max()).row(0)
        if None in seen:
            return None
        first, last = (moment.astimezone(self.zone).date() for moment in seen)
        return first, last


# A frame is never changed in place, so every session of a scope may hold the same one: kept as it is, an
# answer costs neither a copy per rerun nor memory per session.
@st.cache_resource(show_spinner=False, max_entries=400)
def _ask(
    generation: str, scope: Scope, is_demo: bool, question: str, filters: Mapping[str, Filter]
) -> pl.DataFrame:
    scoped = Warehouse.at(Path(generation)).for_person(scope)
    return scoped.query(question, is_demo=is_demo, **_given(filters))


@st.cache_resource(show_spinner=False, max_entries=50)
def _table(
    generation: str, scope: Scope, is_demo: bool, mart: str, limit: int, filters: Mapping[str, Filter]
) -> pl.DataFrame:
    scoped = Warehouse.at(Path(generation)).for_person(scope)
    return scoped.table(mart, is_demo=is_demo, limit=limit, offset=0, **_given(filters))


@st.cache_data(show_spinner=False, max_entries=200)
def _row_count(generation: str, scope: Scope, is_demo: bool, mart: str, filters: Mapping[str, Filter]) -> int:
    return (
        Warehouse.at(Path(generation)).for_person(scope).row_count(mart, is_demo=is_demo, **_given(filters))
    )


def _given(filters: Mapping[str, Filter]) -> dict[str, Any]:
    """The filters that are set; the question itself refuses names and types it does not take."""
    return {name: value for name, value in filters.items() if value is not None and value != ""}


def put(page: Page) -> None:
    """Keep ``page`` for the view that runs next in this session."""
    st.session_state[_KEY] = page


def current() -> Page:
    """The page the frame made for this run."""
    page = st.session_state[_KEY]
    if not isinstance(page, Page):
        raise TypeError("the frame did not run before the view")
    if page.signed_in_until is not None and page.signed_in_until <= dt.datetime.now(dt.UTC):
        # A part that refreshes by itself does not pass the frame, which asks to sign in.
        st.rerun(scope="app")
    return page


def heading(title: str, question: str = "") -> None:
    """The page's title, the question it answers, how fresh the data is, and whether it is demo data."""
    page = current()
    st.title(title, anchor=False)
    told = " · ".join(part for part in (question, freshness(page)) if part)
    picked = (
        f":gray-badge[:material/switch_account: {md_escape(page.person.name)}, picked without signing in]"
    )
    badges = picked if page.is_picked else ""
    if page.is_demo:
        st.markdown(f"{DEMO_BANNER} {badges} :small[:gray[{told}]]")
    elif badges:
        st.markdown(f"{badges} :small[:gray[{told}]]")
    else:
        st.caption(told)


def freshness(page: Page) -> str:
    """Until when the rows go and which build they are from."""
    if page.warehouse is None:
        return "no build yet"
    until = page.warehouse.data_until
    newest = clock(until, page.now) if until else "nothing recorded"
    late = lateness(page)
    return f"data until {newest}, build {page.warehouse.build_id}{f', **{late}**' if late else ''}"


def lateness(page: Page) -> str:
    """What the build lacks of the log, or that builds do not keep up; empty when all is well or unknown."""
    return "" if page.warehouse is None else _lateness(page.warehouse, page.desk)


@st.cache_data(show_spinner=False, max_entries=4, ttl=15)
def _lateness(warehouse: Warehouse, _desk: Desk) -> str:
    """Measured at most every 15 seconds per build: every page of everybody asks."""
    try:
        return health.freshness(_desk, warehouse, dt.datetime.now(dt.UTC)).words
    except PRODUCT_ERRORS:
        return ""  # Health says what is wrong with the log


def spaced(column: str) -> pl.Expr:
    """A column of closed-set words as people read them."""
    return pl.col(column).str.replace_all("_", " ", literal=True)


def nothing(sentence: str, command: str = "") -> NoReturn:
    """An empty state that ends the page: what will appear, and the command that fills it."""
    empty(sentence, command)
    st.stop()


def empty(sentence: str, command: str = "") -> None:
    """An empty state within a page: what will appear, and the command that fills it."""
    with st.container(border=True):
        st.markdown(f":gray[{md_escape(sentence)}]")
        if command:
            st.code(f"fleetbook {command}", language=None)


def open_agent(agent_id: str) -> None:
    """Go to the page of one agent."""
    st.switch_page("views/agent.py", query_params={"agent": agent_id})


def open_run(run_id: str) -> None:
    """Go to the page of one run."""
    st.switch_page("views/run.py", query_params={"run": run_id})
