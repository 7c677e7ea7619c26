"""Human oversight looked back on: the last decisions, and how deciding goes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from app.desk import Approval
from app.labels import ago, plural, words
from app.views._parts import controls, measures
from app.views._parts.page import Page, empty, open_run
from app.views._parts.tables import Column, show

GATES = ("hitl_configured_rate", "hitl_used_rate", "hitl_obeyed_rate", "approved_runs")
OVERSIGHT = ("decide_p50_s", "approval_rate", "decided_under_2s_share", "changed_approval_share")


def decided_lately(page: Page, decided: Sequence[Approval]) -> None:
    """Who answered what, when and why; a click replays the run."""
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


def how_it_goes(page: Page) -> None:
    """Time to decide, approval rate, hasty decisions and what expired, in the chosen period."""
    st.subheader("How oversight is going", anchor=False)
    period = controls.period(page, "91")
    span = {"first_date": period.first_date, "last_date": period.last_date}
    found = page.ask("oversight", **span)
    one = found.row(0, named=True) if not found.is_empty() else None
    if one is None or not any(one[name] for name in ("decided", "expired", "withdrawn", "bypassed")):
        empty("No decision in this period. Choose a longer one.")
        return
    measures.row(page, OVERSIGHT, period)
    measures.row(page, GATES, period)
    st.caption(
        f"{plural(one['decided'], 'decision')}: {one['approved']:,} approved, {one['approved_changed']:,} "
        f"approved with changes, {one['rejected']:,} rejected. {plural(one['expired'], 'request')} expired "
        f"and {one['withdrawn']:,} were withdrawn with their run; both count as refused and are in no rate. "
        f"{plural(one['bypassed'], 'call')} ran without the approval that it needed. "
        f"Nine of ten decisions took at most {ago(one['decide_p90_s'])}."
    )
