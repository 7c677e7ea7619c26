"""Risk between months: what the last scan looked at, what it found, and what became of it."""

from __future__ import annotations

from typing import Literal

import polars as pl
import streamlit as st

from app.labels import md_escape, moment, plural
from app.live import risk
from app.live.risk import RiskFinding, Seen
from app.views._parts import acting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "risk_said"
_SHOWN = 200
_ROWS, _LONG = 12, 460


def show_risks(page: Page) -> None:
    """The tab."""
    acting.said(_SAID)
    seen = risk.seen(page.desk, page.person.person_id, page.scope.team_ids, is_demo=page.is_demo)
    if seen.scan is None:
        empty("Nobody has looked yet. Findings appear here after the first scan.", "risk")
        return
    _standing(page, seen)
    _findings(page, seen)
    _looked(page, seen)


def _standing(page: Page, seen: Seen) -> None:
    scan = seen.scan
    if scan is None:
        return
    open_ones = seen.open_ones
    counts = {word: sum(one.severity == word for one in open_ones) for word in ("critical", "high", "medium")}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    if open_ones:
        st.warning(f"**{plural(len(open_ones), 'finding')} open: {told}.**", icon=":material/crisis_alert:")
    else:
        st.success("**Nothing is open.**", icon=":material/check_circle:")
    unread = f" {plural(scan.unread_texts, 'text')} could not be read." if scan.unread_texts else ""
    st.caption(
        f"Looked {moment(scan.scanned_at, page.zone)} at runs of {scan.first_date:%-d %b} to "
        f"{scan.last_date:%-d %b %Y}, parameters version {scan.rule_version}.{unread} "
        "Findings hold ids and places, never a text."
    )


def _findings(page: Page, seen: Seen) -> None:
    names = page.agent_names()
    shown = [*seen.open_ones, *(one for one in seen.findings if not one.is_open)][:_SHOWN]
    st.subheader("Findings", anchor=False)
    if not shown:
        empty("No finding within your scope.")
        return
    rows = pl.DataFrame(
        {
            "found_at": [one.found_at for one in shown],
            "severity": [one.severity if one.is_open else "settled" for one in shown],
            "kind": [one.risk_kind.replace("_", " ") for one in shown],
            "agent": [names.get(one.agent_id or "", one.agent_id or "none") for one in shown],
            "reason": [one.reason for one in shown],
        }
    )
    columns = [
        Column(name="kind", heading="Check", width=150, pinned=True, opens=True),
        Column(name="severity", heading="Severity", width=80),
        Column(name="agent", heading="Agent", width=140),
        Column(name="reason", heading="What was found", width=480),
        Column(name="found_at", heading="Found", kind="time", width=150),
    ]
    clicked = show(
        rows,
        columns,
        key="risk_findings",
        zone=page.zone,
        height=_height(shown),
        missing="",
        alt="Risk findings",
    )
    wanted = st.query_params.get("finding")
    if clicked is not None:
        wanted = shown[clicked].finding_id
        st.query_params["finding"] = wanted
    one = next((one for one in shown if one.finding_id == wanted), None)
    if one is not None:
        _evidence(page, seen, one)


def _height(rows: list[RiskFinding]) -> int | Literal["content"]:
    """A long table scrolls, so that what is chosen in it stands below in sight."""
    return _LONG if len(rows) > _ROWS else "content"


def _evidence(page: Page, seen: Seen, one: RiskFinding) -> None:
    """One finding with what shows it, and the form that settles it."""
    with st.container(border=True):
        st.code(one.finding_id, language=None)
        st.text(one.reason)
        st.caption(f"What to do: {md_escape(risk.remedy(one.risk_kind))}")
        st.code("\n".join([*one.evidence, *one.places]), language=None)
        if one.run_id:
            st.page_link(
                "views/run.py",
                label="Open the run",
                icon=":material/arrow_forward:",
                query_params={"run": one.run_id},
            )
        if one.settled_at is not None:
            st.caption(
                f"Settled {moment(one.settled_at, page.zone)} by {md_escape(page.name_of(one.settled_by))}: "
                f"{md_escape(one.settled_reason or '')}"
            )
        elif one.finding_id in seen.can_settle:
            _settle(page, one)


def _settle(page: Page, one: RiskFinding) -> None:
    with st.form("settle", border=False):
        reason = st.text_input("What it was, and what was done", max_chars=500)
        if st.form_submit_button("Settle", icon=":material/done:"):
            acting.act(_SAID, lambda: _settled(page, one, reason))


def _settled(page: Page, one: RiskFinding, reason: str) -> str:
    done = risk.settle(page.desk, page.person.person_id, one.finding_id, reason)
    return f"Settled: the event risk_settled is in the log, for {md_escape(done.finding_id)}."


def _looked(page: Page, seen: Seen) -> None:
    if not seen.checks:
        return
    with st.expander("What was looked at"):
        rows = pl.DataFrame(
            {
                "title": [one.title for one in seen.checks],
                "looked_at": [one.looked_at for one in seen.checks],
                "open": [one.open_findings for one in seen.checks],
                "nothing": [f"no data: {one.nothing}" if one.nothing else "" for one in seen.checks],
            }
        )
        columns = [
            Column(name="title", heading="What it asks", width=420, pinned=True),
            Column(name="looked_at", heading="Looked at", kind="count", width=100),
            Column(name="open", heading="Open", kind="count", width=80),
            Column(name="nothing", heading="", width=320),
        ]
        show(rows, columns, key="risk_checks", zone=page.zone, missing="", alt="Risk checks")
