"""Approvals: should this happen? The queue, one request as data, the decision, and how oversight goes."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.desk import Approval
from app.labels import ago, md_escape, money, plural
from app.views._parts import decide, oversight
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.watch import run_anew_on_change


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Approvals", "Should this happen?")
    decide.said()
    if page.shows_live:
        requests = page.desk.approvals(page.person.person_id)
        waiting = [request for request in requests if request.status == "waiting"]
        _queue(page, waiting)
        oversight.decided_lately(page, [request for request in requests if request.status != "waiting"])
        run_anew_on_change(_waiting_ids, tuple(request.approval_id for request in waiting))
    else:
        empty("The queue of this workspace is demo data. Choose Demo under Rows to see it.")
    if page.warehouse is not None:
        oversight.how_it_goes(page)


def _waiting_ids(page: Page) -> tuple[str, ...]:
    requests = page.desk.approvals(page.person.person_id)
    return tuple(request.approval_id for request in requests if request.status == "waiting")


def _queue(page: Page, waiting: Sequence[Approval]) -> None:
    if not waiting:
        empty(
            "Nothing waits for a decision. When a tool call meets an approval rule, it appears here.",
            'run <agent> "<task>" --as <person>',
        )
        return
    by_id = {request.approval_id: request for request in waiting}
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.subheader(plural(len(waiting), "request waits", "requests wait"), anchor=False)
        chosen = _choose(page, by_id)
    with right, st.container(border=True):
        request = by_id[chosen]
        if request.can_decide:
            page.desk.shown(request.approval_id, page.person.person_id)
        decide.facts(page, request)
        decide.so_far(page, request)
        decide.answer(page, request)


def _choose(page: Page, by_id: dict[str, Approval]) -> str:
    """The queue as a list to choose from, by risk and age; the URL names the chosen request."""
    ids = list(by_id)
    wanted = st.query_params.get("approval")
    chosen = st.radio(
        "Waiting requests",
        ids,
        index=ids.index(wanted) if wanted in by_id else 0,
        format_func=lambda one: f"{md_escape(by_id[one].agent_name)}: {md_escape(by_id[one].tool_name)}",
        captions=[_line(page, by_id[one]) for one in ids],
        label_visibility="collapsed",
        key="queue_" + "_".join(ids)[:200],
    )
    if len(ids) > 1 and chosen:
        st.query_params["approval"] = chosen
    return chosen or ids[0]


def _line(page: Page, request: Approval) -> str:
    stake = "" if request.money_at_stake_usd is None else f" · {money(request.money_at_stake_usd)}"
    age = ago((page.now - request.requested_at).total_seconds())
    team = md_escape(page.team(request.team_id))
    return f"{md_escape(request.risk_class)} risk · {team} · {age} old{stake}"


if __name__ == "__main__":
    render()
