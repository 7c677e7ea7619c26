"""Approvals: should this happen? The queue, one request as data, the decision, and how oversight goes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from app.desk import Approval
from app.labels import ago, md_escape, money, plural, words
from app.views._parts import controls, decide, measures
from app.views._parts.page import Page, current, empty, heading, open_run
from app.views._parts.tables import Column, show

OVERSIGHT = ("decide_p50_s", "approval_rate", "decided_under_2s_share", "changed_approval_share")


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Approvals", "Should this happen?")
    decide.said()
    if page.shows_live:
        requests = page.desk.approvals(page.person.person_id)
        waiting = [request for request in requests if request.status == "waiting"]
        _queue(page, waiting)
        _decided(page, [request for request in requests if request.status != "waiting"])
    else:
        empty("The queue of this workspace is demo data. Choose Demo under Rows to see it.")
    if page.warehouse is not None:
        _oversight(page)


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


def _decided(page: Page, decided: Sequence[Approval]) -> None:
    st.subheader("Decided lately", anchor=False)
    if not decided:
        empty("No decisions yet. Each one appears here with who, when and why.")
        return
    rows = pl.DataFrame(
        {
            "when": [request.decided_at or request.expires_at for request in decided],
            "agent": [request.agent_name for request in decided],
            "team": [page.team(request.team_id) for request in decided],
            "tool": [request.tool_name for request in decided],
            "stake": [request.money_at_stake_usd for request in decided],
            "answer": [words(request.decision or request.status) for request in decided],
            "by": [page.name_of(request.decided_by) if request.decided_by else "" for request in decided],
            "reason": [request.reason for request in decided],
        },
        schema_overrides={"stake": pl.Float64},
    )
    columns = [
        Column(name="when", heading="When", kind="time", width=140),
        Column(name="agent", heading="Agent", opens=True, width=190, meaning="Click to replay the run."),
        Column(name="team", heading="Team", width=100),
        Column(name="tool", heading="Tool", width=150),
        Column(name="stake", heading="At stake", kind="money", width=110),
        Column(name="answer", heading="Answer", width=140),
        Column(name="by", heading="By", width=130),
        Column(name="reason", heading="Reason"),
    ]
    clicked = show(
        rows, columns, key="decided", zone=page.zone, height="auto", missing="not stated", alt="Decisions"
    )
    if clicked is not None:
        open_run(decided[clicked].run_id)


def _oversight(page: Page) -> None:
    st.subheader("How oversight is going", anchor=False)
    period = controls.period(page, "91")
    span = {"first_date": period.first_date, "last_date": period.last_date}
    found = page.ask("oversight", **span)
    one = found.row(0, named=True) if not found.is_empty() else None
    if one is None or not one["decided"] + one["expired"]:
        empty("No decision in this period. Choose a longer one.")
        return
    measures.row(page, OVERSIGHT, period)
    st.caption(
        f"{plural(one['decided'], 'decision')}: {one['approved']:,} approved, {one['approved_changed']:,} "
        f"approved with changes, {one['rejected']:,} rejected. {plural(one['expired'], 'request')} expired "
        "without a decision; an expired request counts as refused and is in no rate. "
        f"Nine of ten decisions took at most {ago(one['decide_p90_s'])}."
    )


if __name__ == "__main__":
    render()
