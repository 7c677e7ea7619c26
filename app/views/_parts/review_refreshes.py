"""Refreshes on a page: each task with its evidence, its trial, its verdict, and what may be done about it."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.labels import count, md_escape, money, plural, share
from app.live import refreshing, reviewing
from app.live.refreshing import Task
from app.review.verdict import Verdict
from app.views._parts import acting
from app.views._parts.controls import Period
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "refresh_said"
_TRIAL_DAYS = 28
_SHARE = 20
_COLOURS = {"improved": "green", "worse": "red"}


def of_agent(page: Page, agent_id: str, _period: Period) -> None:
    """The tasks of one agent, as a tab of its page."""
    show_refreshes(page, agent_id)


def show_refreshes(page: Page, agent_id: str | None = None) -> None:
    """The tasks within the person's reach, of one agent or all; what is open comes first."""
    acting.said(_SAID)
    found = refreshing.tasks(page.desk, page.person.person_id, agent_id) if page.shows_live else []
    if not found:
        empty("No refresh is open. A decision to refresh puts its task here, with what fails and where.")
        return
    for task in found:
        with st.container(border=True):
            _task(page, task)


def _task(page: Page, task: Task) -> None:
    colour = {"open": "orange", "trial": "blue"}.get(task.status, "gray")
    st.markdown(
        f"**{md_escape(task.agent_name)}** :{colour}-badge[{task.status}] "
        f":gray-badge[review {task.review_period}]  \n{md_escape(_standing(task))}"
    )
    st.caption(f"{md_escape(page.name_of(task.opened_by))}: {md_escape(task.reason)}")
    if task.verdicts:
        st.markdown("  \n".join(_verdict_line(one) for one in task.verdicts))
    if task.status == "closed":
        return
    _evidence(page, task)
    if reviewing.may_decide(page.desk, page.person.person_id, task.agent_id):
        _actions(page, task)
    else:
        st.caption(":material/lock: Its owner, its deputy or a platform lead acts on it.")


def _standing(task: Task) -> str:
    pair = f"v{task.new_version} against v{task.old_version}" if task.new_version else f"v{task.old_version}"
    if task.status == "open":
        return f"{pair}: no trial yet. Declare the new version, and start the trial before or after."
    if task.status == "trial":
        how = (
            "replaces the old version"
            if task.share_percent == 100
            else f"gets {task.share_percent} % of the runs"
        )
        due = f"{task.judge_on:%-d %b %Y}" if task.judge_on else ""
        return f"{pair}: the new version {how}; the verdict is due {due}{' – now' if task.is_due else ''}."
    kept = f"; the {task.kept_arm} version goes on" if task.kept_arm else ""
    return f"{pair}: {task.verdict or 'no verdict'}{kept}. {task.closed_reason or ''}"


def _verdict_line(one: Verdict) -> str:
    colour = _COLOURS.get(one.word, "gray")
    line = f":{colour}-badge[{one.word}] {one.measure}: {_number(one, one.old)} → {_number(one, one.new)}"
    line += f" (n {count(one.old_count)} and {count(one.new_count)})"
    if one.low is not None and one.high is not None:
        line += f", difference {_difference(one, one.low)} to {_difference(one, one.high)}"
    return line


def _number(one: Verdict, number: float | None) -> str:
    if number is None:
        return "unknown"
    return {"share": share(number), "usd": money(number)}.get(one.unit, f"{number / 1000:.2f} s")


def _difference(one: Verdict, number: float) -> str:
    if one.unit == "share":
        return f"{100 * number:+.1f} points"
    return f"{number:+.4f} USD" if one.unit == "usd" else f"{number / 1000:+.2f} s"


def _evidence(page: Page, task: Task) -> None:
    lines = [
        f"- {count(one.count)} of {count(one.of)} {one.kind}s: {md_escape(one.name)}" for one in task.failures
    ]
    if lines:
        st.markdown("\n".join(lines))
    if task.worst_runs:
        rows = pl.DataFrame(
            {
                "run": [one.run_id for one in task.worst_runs],
                "outcome": [one.outcome for one in task.worst_runs],
                "why": [one.why for one in task.worst_runs],
                "cost": [float(one.cost_usd) if one.cost_usd else None for one in task.worst_runs],
            },
            schema_overrides={"cost": pl.Float64},
        )
        columns = [
            Column(name="run", heading="Worst runs", opens=True, width=280),
            Column(name="outcome", heading="Outcome", width=100),
            Column(name="why", heading="Why", width=260),
            Column(name="cost", heading="Cost", kind="money"),
        ]
        key = f"worst_{task.trial_id}"
        clicked = show(rows, columns, key=key, zone=page.zone, height="auto", alt="Worst runs")
        if clicked is not None:
            st.switch_page("views/run.py", query_params={"run": task.worst_runs[clicked].run_id})


def _actions(page: Page, task: Task) -> None:
    left, right = st.columns(2)
    with left:
        if task.status == "open":
            _start(page, task)
        elif task.is_due and task.new_version:
            _judge(page, task)
        else:
            runs = plural(task.share_percent or 0, "percent", "percent")
            st.caption(f"On trial with {runs} of the runs; no verdict before its day.")
    with right:
        if task.new_version:
            _roll_back(page, task)


def _start(page: Page, task: Task) -> None:
    with st.form(f"trial_{task.trial_id}", border=False):
        percent = st.number_input("Share of the runs for the new version, %", 1, 100, _SHARE)
        today = page.now.astimezone(page.zone).date()
        day = st.date_input("Day of the verdict", today + dt.timedelta(days=_TRIAL_DAYS))
        if st.form_submit_button("Start the trial", type="primary") and isinstance(day, dt.date):
            acting.act(_SAID, lambda: _started(page, task, int(percent), day))


def _started(page: Page, task: Task, percent: int, day: dt.date) -> str:
    refreshing.start(page.desk, page.person.person_id, task.agent_id, percent, day)
    name = md_escape(task.agent_name)
    return f"On trial: the new version of {name} gets {percent} % of its runs until {day:%-d %b %Y}."


def _judge(page: Page, task: Task) -> None:
    with st.form(f"judge_{task.trial_id}", border=False):
        keep = st.radio("What goes on", list(refreshing.ARMS), format_func=lambda arm: refreshing.ARMS[arm])
        reason = st.text_input("Reason for the verdict's end", max_chars=300)
        if st.form_submit_button("Close with the verdict", type="primary"):
            acting.act(_SAID, lambda: _judged(page, task, keep, reason))


def _judged(page: Page, task: Task, keep: refreshing.ArmName, reason: str) -> str:
    scoped = page.built().for_person(page.scope)
    word = refreshing.judge(
        page.desk, scoped, page.person.person_id, task.agent_id, keep, reason, is_demo=page.is_demo
    )
    return f"Closed: the new version of {md_escape(task.agent_name)} is judged {word}."


def _roll_back(page: Page, task: Task) -> None:
    with st.form(f"back_{task.trial_id}", border=False):
        reason = st.text_input("Reason to go back", max_chars=300)
        if st.form_submit_button(f"Roll back to v{task.old_version} now"):
            acting.act(_SAID, lambda: _rolled_back(page, task, reason))


def _rolled_back(page: Page, task: Task, reason: str) -> str:
    refreshing.roll_back(page.desk, page.person.person_id, task.agent_id, reason)
    return f"Rolled back: every run of {md_escape(task.agent_name)} gets v{task.old_version} from now on."
