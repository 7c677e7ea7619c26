"""One request for a decision: what the call would do, the run so far, and the three ways to answer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import polars as pl
import streamlit as st

from app.desk import Approval
from app.labels import ago, md_escape, moment, moment_utc, money, plural, words
from app.views._parts import acting
from app.views._parts.page import Page

RISK_COLOURS: Mapping[str, str] = {"high": "red", "limited": "orange", "minimal": "gray"}
_SAID = "decision_said"
_LINE_LENGTH = 60


def badges(page: Page, approval: Approval) -> str:
    """Risk class and team as badges, for a line of Markdown."""
    risk = f":{RISK_COLOURS.get(approval.risk_class, 'gray')}-badge[{md_escape(approval.risk_class)} risk]"
    return f"{risk} :gray-badge[{md_escape(page.team(approval.team_id))}]"


def said() -> None:
    """Say what the last decision wrote, once, after the rerun that follows it."""
    acting.said(_SAID)


def facts(page: Page, approval: Approval) -> None:
    """The call as data: tool, each argument, money at stake, rule, who asked and when it expires."""
    st.markdown(f"### {md_escape(approval.agent_name)}\n{badges(page, approval)}")
    asked = (page.now - approval.requested_at).total_seconds()
    left = (approval.expires_at - page.now).total_seconds()
    st.caption(
        f"Asked {ago(asked)} ago by {md_escape(page.name_of(approval.requested_by))} · expires in "
        f"{ago(left)}, {moment(approval.expires_at, page.zone)}",
        help=moment_utc(approval.expires_at),
    )
    with st.container(border=True):
        head, stake = st.columns([3, 2], vertical_alignment="center")
        head.markdown(f"**{md_escape(approval.tool_name)}**")
        if approval.money_at_stake_usd is not None:
            stake.markdown(f"**{money(approval.money_at_stake_usd)}** at stake", text_alignment="right")
        arguments(approval.arguments)
    st.caption(f"Rule: {md_escape(approval.rule_text)}")
    if approval.is_for_two:
        first = approval.first_approved_by
        given = f"1 of 2 approved, by {md_escape(page.name_of(first))}" if first else "0 of 2 approved"
        st.markdown(f":blue-badge[:material/group: {given}]")


def so_far(page: Page, approval: Approval) -> None:
    """What the run did until here, and how similar requests were answered."""
    running = {run.run_id: run for run in page.desk.live_runs(page.person.person_id)}
    run = running.get(approval.run_id)
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.caption(
        (
            f"So far: {plural(run.turn_count, 'turn')}, {plural(run.tool_call_count, 'tool call')}, "
            f"{money(run.spent_usd)} spent. "
            if run
            else ""
        )
        + _similar(page, approval)
    )
    right.page_link(
        "views/run.py",
        label="Show the run",
        icon=":material/play_circle:",
        query_params={"run": approval.run_id},
    )


def _similar(page: Page, approval: Approval) -> str:
    """How requests of the same agent and tool were decided in the warehouse's last 90 days."""
    if page.warehouse is None:
        return ""
    until = page.now.astimezone(page.zone).date()
    asked = page.ask(
        "oversight",
        by="tool",
        agent_id=approval.agent_id,
        first_date=until - dt.timedelta(days=89),
        last_date=until,
    ).filter(pl.col("series") == approval.tool_name)
    if asked.is_empty():
        return "No similar request in 90 days."
    one = asked.row(0, named=True)
    return (
        f"Similar in 90 days: {one['approvals_yes']:,} approved, {one['rejected']:,} rejected, "
        f"{one['expired']:,} expired."
    )


def arguments(called_with: Mapping[str, object]) -> None:
    """Each argument on a line: its name, and its value as text that stays text."""
    for name, argument in called_with.items():
        left, right = st.columns([1, 3], wrap=False)
        left.text(name)
        text = _as_text(argument)
        if len(text) > _LINE_LENGTH or "\n" in text:
            right.code(text, language=None, wrap_lines=True)
        else:
            right.text(text)
    if not called_with:
        st.caption("Called without arguments.")


def answer(page: Page, approval: Approval) -> None:
    """Approve, approve with changes, or reject with a reason; or why this person may not."""
    if not approval.can_decide:
        st.info(f"You cannot decide this. {md_escape(approval.cannot_reason)}", icon=":material/lock:")
        return
    key = approval.approval_id
    if approval.is_for_two:  # both approve the same arguments
        yes, no = st.tabs(["Approve", "Reject"])
    else:
        yes, change, no = st.tabs(["Approve", "Approve with changes", "Reject"])
        with change, st.form(f"change_{key}", border=False):
            changed = {name: _field(name, argument, key) for name, argument in approval.arguments.items()}
            note = st.text_input("Why the change", max_chars=500)
            if st.form_submit_button("Approve with these arguments", icon=":material/edit:"):
                _decide_changed(page, approval, changed, note)
    with yes, st.form(f"yes_{key}", border=False):
        note = st.text_input("Note (optional)", max_chars=500)
        if st.form_submit_button("Approve this call", type="primary", icon=":material/check:"):
            _decide(page, approval, "approved", note)
    with no, st.form(f"no_{key}", border=False):
        note = st.text_input("Reason", max_chars=500, placeholder="The agent's owner reads this")
        if st.form_submit_button("Reject this call", icon=":material/close:"):
            if note.strip():
                _decide(page, approval, "rejected", note)
            else:
                st.warning("Not rejected: a rejection needs a reason. Write one and press the button again.")


def _field(name: str, argument: object, key: str) -> object:
    """An input for one argument that keeps its type; structured ones are edited as JSON."""
    label, field = md_escape(name), f"arg_{key}_{name}"
    if isinstance(argument, bool):
        return st.checkbox(label, argument, key=field)
    shown = argument if isinstance(argument, str) else _as_text(argument)
    return st.text_input(label, shown, key=field)


def _decide_changed(page: Page, approval: Approval, changed: Mapping[str, object], note: str) -> None:
    try:
        typed = {name: _typed(changed[name], before) for name, before in approval.arguments.items()}
    except ValueError as error:
        st.warning(f"Not decided: {md_escape(error)} Correct it and press the button again.")
        return
    if typed == dict(approval.arguments):
        st.warning("Not decided: nothing was changed. Change an argument, or use Approve.")
        return
    _decide(page, approval, "approved_changed", note, typed)


def _typed(entered: object, before: object) -> object:
    """What was typed, as the type the argument had. Raises ValueError with a sentence."""
    if isinstance(before, str | bool) or not isinstance(entered, str):
        return entered
    if isinstance(before, int | float):
        return _number(entered, before)
    try:
        return json.loads(entered)
    except json.JSONDecodeError as error:
        raise ValueError(f"{entered[:40]!r} is no JSON ({error.msg}).") from error


def _number(entered: str, before: int | float) -> int | float:
    try:
        number = Decimal(entered.strip())
    except InvalidOperation as error:
        raise ValueError(f"{entered[:40]!r} is no number.") from error
    if isinstance(before, int) and number == number.to_integral_value():
        return int(number)
    return float(number)


def _decide(
    page: Page, approval: Approval, decision: str, note: str, changed: Mapping[str, object] | None = None
) -> None:
    def do() -> str:
        event_id = page.desk.decide(
            approval.approval_id, page.person.person_id, decision, note.strip(), changed_arguments=changed
        )
        is_half = approval.is_for_two and not approval.first_approved_by and decision != "rejected"
        after = (
            "1 of 2: the call waits for a second person."
            if is_half
            else "The run is ready; a worker resumes it (`fleetbook worker`)."
        )
        return (
            f"{words(decision).capitalize()}: {md_escape(approval.tool_name)} of "
            f"{md_escape(approval.agent_name)}. Event {md_escape(event_id)} says so in the log. {after}"
        )

    acting.act(_SAID, do, icon=":material/block:")


def _as_text(argument: object) -> str:
    return argument if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False, indent=2)
