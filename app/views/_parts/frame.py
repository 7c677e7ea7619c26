"""The frame of every page: who is looking, which rows, where to go; and product errors as sentences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.navigation.page import Page as StreamlitPage

from app import identity, palette
from app.desk import Person
from app.errors import PRODUCT_ERRORS
from app.labels import clock, md_escape, words
from app.live import querying
from app.tracing import request_span
from app.views._parts import behind, entrance, printed
from app.views._parts.page import Page, put
from app.warehouse import Scope, Warehouse

_ASSETS = Path(__file__).resolve().parents[2] / "assets"
_SIDEBAR_PIXELS = 276

# Group → (module and URL, title, icon); then the pages that only links lead to.
NAVIGATION: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "Today": (
        ("home", "Home", ":material/home:"),
        ("approvals", "Approvals", ":material/approval:"),
    ),
    "Fleet": (
        ("fleet", "Fleet", ":material/monitoring:"),
        ("agents", "Agents", ":material/smart_toy:"),
        ("runs", "Runs", ":material/play_circle:"),
        ("schedules", "Schedules", ":material/schedule:"),
    ),
    "Money": (
        ("teams", "Teams and budgets", ":material/account_balance_wallet:"),
        ("spend", "Spend", ":material/payments:"),
    ),
    "Assurance": (
        ("compliance", "Compliance", ":material/verified_user:"),
        ("review", "Review", ":material/rule:"),
        ("log_export", "Log and export", ":material/fact_check:"),
        ("access", "Access", ":material/key:"),
        ("health", "Health", ":material/monitor_heart:"),
    ),
    "Data": (("data", "Data", ":material/table_view:"),),
}
LINKED = (("agent", "Agent"), ("run", "Run"))
START = "home"
# Streamlit serves the page a visit starts on at / alone and answers its own path with "Page not found"; so
# that path, and the one it had before, are hidden pages: path, module, title.
ALSO = (("home", "home", "Home"), ("overview", "fleet", "Fleet"))


def run() -> None:
    """One page run: find out who looks, draw the frame, run the page; product errors become sentences."""
    # Before the navigation: a page's own icon would become the tab's, fetched from a font host.
    st.set_page_config(
        page_icon=str(_ASSETS / "icon.png"), layout="wide", initial_sidebar_state=_SIDEBAR_PIXELS
    )
    try:
        place = _premises()
        visitor = entrance.visitor(place, _door())
        may_query = visitor.person is not None and querying.may_query(place.desk, visitor.person.person_id)
    except PRODUCT_ERRORS as error:
        _navigation(is_hidden=True)
        st.error(md_escape(error), icon=":material/error:")
        return
    here = _navigation(is_hidden=visitor.person is None, left_out=() if may_query else ("data",))
    st.set_page_config(page_title=f"{here.title} · Fleetbook")
    theme = "dark" if st.context.theme.type == "dark" else "light"
    st.logo(str(_ASSETS / f"logo_{theme}.png"), size="large", icon_image=str(_ASSETS / "icon.png"))
    if visitor.person is None:
        entrance.closed(visitor)
        return
    try:
        page = _begin(place, visitor, visitor.person)
        put(page)
        behind.begin()
        printed.begin()
        with request_span(here.url_path or START):
            here.run()
        printed.button(page, f"page_{here.url_path or START}", here.title)
        behind.show_opened(page)
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=":material/error:")


def _navigation(*, is_hidden: bool, left_out: Sequence[str] = ()) -> StreamlitPage:
    """The page that the URL names. Pages ``left_out`` are not listed; by their path they say why."""
    groups: dict[str, list[StreamlitPage]] = {
        group: [
            st.Page(
                f"views/{name}.py",
                title=title,
                icon=icon,
                url_path=_path(name),
                default=name == START,
                visibility="hidden" if name in left_out else "visible",
            )
            for name, title, icon in pages
        ]
        for group, pages in NAVIGATION.items()
    }
    groups["Fleet"] += [
        st.Page(f"views/{name}.py", title=title, url_path=path, visibility="hidden")
        for path, name, title in (*((name, name, title) for name, title in LINKED), *ALSO)
    ]
    return st.navigation(groups, position="hidden" if is_hidden else "sidebar", expanded=True)


def _path(name: str) -> str:
    """The page's path; the one a visit starts on leaves its own to the hidden page of :data:`ALSO`."""
    return "start" if name == START else name


def _begin(place: identity.Premises, visitor: entrance.Visitor, person: Person) -> Page:
    people = place.desk.people()
    teams = place.desk.teams()
    warehouse = place.warehouse()
    scope = identity.scope_of(person)
    with st.sidebar:
        entrance.who(visitor, person, identity.in_order(people), teams)
        st.caption(f"{words(person.role_id).capitalize()}, {md_escape(identity.reach(scope, teams))}.")
        is_demo = _rows(warehouse, scope, place.workspace.is_demo)
        _freshness(warehouse)
        entrance.how(visitor)
    company = place.desk.company()
    return Page(
        person=person,
        scope=scope,
        desk=place.desk,
        warehouse=warehouse,
        export_dir=place.workspace.export_dir,
        names={one.person_id: one.name for one in people},
        team_names=teams,
        zone=ZoneInfo(company.time_zone),
        now=dt.datetime.now(dt.UTC),
        is_demo=is_demo,
        is_live_demo=place.workspace.is_demo,
        colours=palette.palette(st.context.theme.type),
        is_picked=visitor.claims is None,
        signed_in_until=visitor.until,
    )


def _premises() -> identity.Premises:
    return _kept_premises(str(identity.home_folder()))


@st.cache_resource(show_spinner=False)
def _kept_premises(home: str) -> identity.Premises:
    """One desk per workspace and process; ``home`` is the key of the cache."""
    return identity.premises()


def _door() -> identity.Door:
    return _kept_door(str(identity.home_folder()))


@st.cache_resource(show_spinner=False)
def _kept_door(home: str) -> identity.Door:
    """How people come in, read once per process as its server did; ``home`` is the key of the cache."""
    return identity.door()


def _rows(warehouse: Warehouse | None, scope: Scope, is_live_demo: bool) -> bool:
    """Demo rows or real rows: a switch only where the build holds both."""
    if warehouse is None:
        return is_live_demo
    build = warehouse.for_person(scope).query("freshness", is_demo=is_live_demo).row(0, named=True)
    if not (build["has_demo"] and build["has_real"]):
        return bool(build["has_demo"])
    kinds = ["real", "demo"]
    first = st.query_params.get("rows", "real")
    st.session_state.setdefault("rows_switch", first if first in kinds else "real")
    chosen = st.segmented_control("Rows", kinds, key="rows_switch", required=True, format_func=str.capitalize)
    if chosen == "demo":
        st.query_params["rows"] = "demo"
    elif "rows" in st.query_params:
        del st.query_params["rows"]
    return chosen == "demo"


def _freshness(warehouse: Warehouse | None) -> None:
    if warehouse is None:
        st.caption("No build yet: `fleetbook build`.")
        return
    now = dt.datetime.now(dt.UTC)
    until = clock(warehouse.data_until, now) if warehouse.data_until else "nothing recorded"
    st.caption(
        f"Data until {until} · build {md_escape(warehouse.build_id)} of {clock(warehouse.built_at, now)}"
    )
