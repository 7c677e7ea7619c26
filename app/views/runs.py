"""Runs: search over what I may read; filters in the URL; a click opens one run."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from app import identity
from app.charts import OUTCOME_WORDS
from app.desk import Desk
from app.labels import count, md_escape, plural
from app.live import searching
from app.views._parts import controls, run_list
from app.views._parts.controls import Period
from app.views._parts.page import Filter, Page, current, empty, heading, nothing

PER_PAGE = 50
ORDERS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "cost": "Highest cost",
    "machine": "Longest machine time",
    "waiting": "Longest wait for people",
    "tool_errors": "Most tool errors",
    "interventions": "Most interventions",
}
RESULTS = {
    **{f"outcome:{outcome}": word.capitalize() for outcome, word in OUTCOME_WORDS.items()},
    "run_status:waiting": "Waiting",
    "run_status:running": "Running",
    "run_status:queued": "Queued",
    "run_status:refused": "Refused",
}
PLACES = {"facts": "Names and ids", "texts": "Also in texts"}
MARKS = {
    "has_tool_error": "With a tool error",
    "has_approval": "With an approval",
    "has_intervention": "With an intervention",
    "is_delegated": "Delegated",
}


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Runs", "What happened in which run?")
    page.built()
    if page.run_days() is None:
        nothing("No runs yet. Run an agent or import runs, then build.", "import tau2 <file>")
    period = controls.period(page)
    filters = _filters(page, period) | _in_texts(page, period)
    days = {"first_date": period.first_date, "last_date": period.last_date}
    order = filters.pop("order")
    found = int(page.ask("run_count", **days, **filters)["runs"][0])
    if not found:
        empty("No run matches. Clear a filter or choose a longer period.")
        return
    pages = -(-found // PER_PAGE)
    left, right = st.columns([1, 1], vertical_alignment="center")
    with right:
        number = controls.page_number("page", pages)
    first = (number - 1) * PER_PAGE
    left.caption(
        f"{plural(found, 'run')} of {period.words}; {count(first + 1)} to "
        f"{count(min(first + PER_PAGE, found))} below. Click a run to replay it."
    )
    rows = page.ask("runs", **days, **filters, order=order, limit=PER_PAGE, offset=first)
    run_list.show_runs(page, rows, key="run_list")


def _filters(page: Page, period: Period) -> dict[str, Filter]:
    text = controls.text("Search", "q", "Run, agent, person, model or source")
    with st.container(horizontal=True):
        result = controls.select("Result", "result", RESULTS, anything="Any result")
        agent = controls.select("Agent", "agent", _agents(page), anything="Any agent")
        model = controls.select("Model", "model", _models(page, period), anything="Any model")
        mark = controls.select("Mark", "mark", MARKS, anything="Any mark")
        team = controls.team(page)
        order = controls.one_of_many("Order", "order", ORDERS)
    kind, _, word = (result or "").partition(":")
    return {
        "text": text,
        "agent_id": agent,
        "model_name": model,
        "team_id": team,
        "order": order,
        **({kind: word} if kind else {}),
        **({mark: True} if mark else {}),
    }


def _in_texts(page: Page, period: Period) -> dict[str, Filter]:
    """The runs whose texts hold what is searched for, where the person wants that and may read them."""
    wanted = str(st.session_state.get("kept_q", ""))
    if not wanted or not searching.may_read_texts(page.desk, page.person.person_id):
        return {}
    chosen = controls.one_of("Search in", "in", list(PLACES), "facts", PLACES.__getitem__)
    if chosen != "texts":
        return {}
    hits = _hits(page.desk, str(identity.home_folder()), wanted, period.first_date)
    found = _searches(str(identity.home_folder())).found(
        page.desk, page.scoped(), wanted, hits, is_demo=page.is_demo
    )
    told = f"{plural(len(found.run_ids), 'run')} by their texts; the search is logged."
    st.caption(f"{told} Not all was looked at: {md_escape(found.unread)}." if found.unread else told)
    return {"text_run_ids": "\n".join(found.run_ids)}


@st.cache_data(show_spinner=False, ttl=60, max_entries=50)
def _hits(_desk: Desk, home: str, wanted: str, first_date: dt.date) -> searching.TextHits:
    """Hits of one search, for a minute; whose they are is decided anew at every rerun."""
    return searching.hits(_desk, wanted, first_date)


@st.cache_resource(show_spinner=False)
def _searches(home: str) -> searching.Searches:
    """One per workspace and process; ``home`` is the key of the cache."""
    return searching.Searches()


def _agents(page: Page) -> dict[str, str]:
    return dict(sorted(page.agent_names().items(), key=lambda pair: pair[1].lower()))


def _models(page: Page, period: Period) -> dict[str, str]:
    rows = page.ask("models", first_date=period.first_date, last_date=period.last_date)
    return {name: name for name in rows["model_name"].to_list()}


if __name__ == "__main__":
    render()
