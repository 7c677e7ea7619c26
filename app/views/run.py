"""Run: what happened in this run? A timeline, the list turn by turn, totals that tie, and the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.labels import md_escape, moment, moment_utc, words
from app.views._parts import event_cells, run_steps, run_tiles, tally
from app.views._parts.page import Page, current, heading, nothing, open_agent
from app.views._parts.watch import run_anew_on_change

Row = Mapping[str, object]


def render() -> None:
    """Draw the page."""
    page = current()
    run_id = st.query_params.get("run") or st.session_state.get("run_shown")
    if not run_id:
        heading("Run", "What happened in this run?")
        nothing("No run is chosen. Open one from the Runs page.")
    st.session_state["run_shown"] = run_id
    st.query_params["run"] = run_id
    events = _events(page, run_id)
    known = _row(page, run_id)
    heading(f"Run {md_escape(run_id)}", "What happened in this run?")
    told = tally.totals(events)
    _head(page, events, known)
    run_tiles.show_tiles(page, events, told, known)
    run_steps.timeline(page, events)
    listed, ties, proof = st.tabs(["Turn by turn", "Totals", "Proof"])
    with listed:
        run_steps.listing(page, events)
    with ties:
        run_steps.ties(page, told, known)
    with proof:
        run_steps.proof(page, events)
    progress = _progress(page)
    if progress is not None:
        run_anew_on_change(_progress, progress)


def _progress(page: Page) -> tuple[str, int, int] | None:
    """How far the shown run is, while it has not ended."""
    shown = st.session_state.get("run_shown")
    for one in page.desk.live_runs(page.person.person_id):
        if one.run_id == shown:
            return one.status, one.turn_count, one.tool_call_count
    return None


def _events(page: Page, run_id: str) -> Sequence[Row]:
    """The run's events. A run of another team is answered as one that does not exist."""
    try:
        return page.desk.live_run_events(run_id, page.person.person_id)
    except PRODUCT_ERRORS:
        heading("Run", "What happened in this run?")
        nothing(f"There is no run {run_id!r} within your scope. Open one from the Runs page.")


def _row(page: Page, run_id: str) -> Row | None:
    """The warehouse's row of the run; None when the build is older than the run."""
    if page.warehouse is None:
        return None
    rows = page.ask("run", run_id=run_id)
    return None if rows.is_empty() else rows.row(0, named=True)


def _head(page: Page, events: Sequence[Row], known: Row | None) -> None:
    first = events[0]
    agent_id = str(first["agent_id"])
    version = f" v{first['agent_version']}" if first.get("agent_version") else ""
    asked = event_cells.at(first)
    who = f"for {md_escape(page.name_of(first['actor_id']))} " if first.get("actor_id") else ""
    state = words(
        str((known or {}).get("outcome") or (known or {}).get("run_status") or "not in the build yet")
    )
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.markdown(
        f"**{md_escape(page.agent_names().get(agent_id, agent_id))}**{md_escape(version)} "
        f"of {md_escape(page.team(first.get('team_id')))} "
        f"{who}· asked {moment(asked, page.zone)} · {md_escape(state)}",
        help=moment_utc(asked),
    )
    if right.button("Open the agent", icon=":material/smart_toy:"):
        open_agent(agent_id)


if __name__ == "__main__":
    render()
