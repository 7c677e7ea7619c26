"""Compliance: can I sign? The last answer of a month, what has to be seen to, its pack and its signatures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl
import streamlit as st

from app.labels import md_escape, moment, plural
from app.live import compliance
from app.live.compliance import CheckRow, Month
from app.views._parts import binding, checking, controls, granting, risks, signing
from app.views._parts.page import Page, current, empty, heading, nothing
from app.views._parts.tables import Column, show

COLOURS: Mapping[str, str] = {
    "PASS": "green",
    "FAIL": "red",
    "ERROR": "red",
    "NO DATA": "orange",
    "WAIVED": "orange",
    "MANUAL": "gray",
}
FINDINGS_SHOWN = 200


PARTS: Mapping[str, str] = {
    "month": "Month",
    "risk": "Risk between months",
    "binder": "EU AI Act",
    "texts": "Who may read texts",
}


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Compliance", "Can I sign?")
    signing.said()
    if page.scope.own_only:
        nothing("The monthly check is shown to people who see a whole team. Ask your team's manager.")
    part = controls.one_of("Part", "part", list(PARTS), "month", PARTS.__getitem__)
    if part == "risk":
        risks.show_risks(page)
    elif part == "texts":
        granting.show_grants(page)
    else:
        _of_a_month(page, part)


def _of_a_month(page: Page, part: str) -> None:
    checking.under_way(page)
    offered = compliance.months(page.desk)
    if not offered:
        checking.ask_for(page)
        last = (page.now.date().replace(day=1) - dt.timedelta(days=1)).strftime("%Y-%m")
        nothing(
            "No month was checked yet. The answer, its findings and the evidence pack appear here.",
            f"check --month {last}",
        )
    named = {f"{one:%Y-%m}": f"{one:%B %Y}" for one in offered}
    chosen = controls.one_of_many("Month", "month", named)
    first = dt.date.fromisoformat(f"{chosen}-01")
    if part == "binder":
        binding.show_binder(page, first)
        return
    month = compliance.month_of(page.desk, page.person.person_id, first, page.scope.team_ids)
    if month is None:
        nothing("This month was not checked.", f"check --month {chosen}")
    _answer(page, month)
    _to_see_to(page, month)
    _grid(month)
    signing.pack_and_sign(page, month)
    _all(page, month)
    signing.history(page)
    checking.ask_for(page)


def _answer(page: Page, month: Month) -> None:
    """The sentence, and what it rests on; the page itself checks nothing."""
    earlier = "an earlier pack was signed, this one not yet" if month.was_signed else "not signed yet"
    signed = "signed" if month.is_signed else earlier
    line = f"**{md_escape(month.sentence)}** {_badges(month)}"
    box = st.success if month.is_clean else st.warning
    box(line, icon=":material/check_circle:" if month.is_clean else ":material/report:")
    st.caption(
        f"Checked {moment(month.checked_at, page.zone)}, {signed}. This page shows that answer; below, or "
        f"with `fleetbook check --month {month.month:%Y-%m}`, the log is verified and all is decided again."
    )


def _badges(month: Month) -> str:
    counts = {word: sum(one.status == word for one in month.checks) for word in COLOURS}
    return " ".join(f":{COLOURS[word]}-badge[{count} {word}]" for word, count in counts.items() if count)


def _to_see_to(page: Page, month: Month) -> None:
    found = [one for one in month.checks if one.is_finding or one.is_case_open]
    st.subheader("What has to be seen to", anchor=False)
    if not found:
        empty("Nothing: no check of high or critical severity failed or was left without data.")
        return
    rows = pl.DataFrame(
        {
            "check": [one.check_id for one in found],
            "result": [one.status for one in found],
            "severity": [one.severity for one in found],
            "title": [one.title for one in found],
            "found": [_found(one) for one in found],
            "case": [_case(page, one) for one in found],
        }
    )
    columns = [
        Column(name="check", heading="Check", width=80, pinned=True, opens=True),
        Column(name="result", heading="Result", width=75),
        Column(name="severity", heading="Severity", width=75),
        Column(name="title", heading="What it asks", width=440),
        Column(name="found", heading="Found", width=110),
        Column(name="case", heading="Case", width=230),
    ]
    clicked = show(rows, columns, key="to_see_to", zone=page.zone, missing="", alt="Findings")
    wanted = st.query_params.get("check")
    if clicked is not None:
        wanted = found[clicked].check_id
        st.query_params["check"] = wanted
    one = next((one for one in found if one.check_id == wanted), None)
    if one is not None:
        _evidence(page, month, one)


def _found(one: CheckRow) -> str:
    if one.status == "NO DATA":
        return "nothing to look at"
    return f"{one.violations:,} of {one.population:,}"


def _case(page: Page, one: CheckRow) -> str:
    if one.case_id is None or one.due_at is None:
        return "none"
    owner = page.name_of(one.owner_id)
    if not one.is_case_open:
        return f"closed · {owner}"
    return f"{'OVERDUE since' if one.is_overdue else 'by'} {one.due_at:%-d %b %Y} · {owner}"


def _evidence(page: Page, month: Month, one: CheckRow) -> None:
    """One check with what broke it, within the scope of who looks."""
    with st.container(border=True):
        st.markdown(f"**{md_escape(one.check_id)}** {md_escape(one.title)}")
        if one.detail:
            st.text(one.detail)
        st.caption(f"What to do: {md_escape(one.remedy)}")
        st.caption(f"Evidence for: {md_escape(one.clauses)}")
        if one.is_case_open:
            st.code(
                f'fleetbook case {one.case_id} close --as <person> --reason "…" --evidence "…"', language=None
            )
        if page.warehouse is None:
            return
        last = (month.month + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
        period = {"first_date": month.month, "last_date": last}
        rows = page.table("fct_check_findings", FINDINGS_SHOWN, **period, check_id=one.check_id)
        if rows.is_empty():
            st.caption("No row of this check within your scope.")
            return
        listed = rows.select("object_kind", "object_id", "detail", "agent_id", "run_id", "person_id")
        columns = [Column(name=name, heading=name.replace("_", " ").capitalize()) for name in listed.columns]
        show(listed, columns, key=f"evidence_{one.check_id}", zone=page.zone, missing="", alt="Evidence")


def _grid(month: Month) -> None:
    st.subheader("Agents at risk", anchor=False)
    if not month.grid:
        empty("No agent of high risk, and none without a risk class, is registered within your scope.")
        return
    head = "| Agent | " + " | ".join(month.families) + " |"
    rule = "|:--|" + ":--|" * len(month.families)
    lines = [
        f"| {md_escape(row.agent_name)} | " + " | ".join(_word(word) for word in row.words) + " |"
        for row in month.grid
    ]
    st.markdown("\n".join([head, rule, *lines]))
    st.caption(
        "INT integrity · REC recording · HITL human oversight · GOV governance · INC incidents · "
        "RET retention · ACC access · META the check itself"
    )
    _oversight(month)


def _oversight(month: Month) -> None:
    """Per agent at risk: is human oversight configured, used, obeyed and alive? With its figures."""
    for row in month.grid:
        words = " ".join(f"{part.title} {_word(part.word)}" for part in row.oversight)
        with st.expander(f"Human oversight of {md_escape(row.agent_name)}: {words}"):
            for part, column in zip(row.oversight, st.columns(max(len(row.oversight), 1)), strict=False):
                with column:
                    st.markdown(f"**{part.title}** {_word(part.word)}")
                    st.caption(md_escape(part.sentence))
                    lines = [f"- {md_escape(name)}: **{md_escape(figure)}**" for name, figure in part.figures]
                    st.markdown("\n".join(lines))


def _word(word: str) -> str:
    return f":{COLOURS[word]}-badge[{word}]"


def _all(page: Page, month: Month) -> None:
    with st.expander(f"All {plural(len(month.checks), 'check')}"):
        rows = pl.DataFrame(
            {
                "check": [one.check_id for one in month.checks],
                "result": [one.status for one in month.checks],
                "severity": [one.severity for one in month.checks],
                "title": [one.title for one in month.checks],
                "population": [one.population for one in month.checks],
                "violations": [one.violations for one in month.checks],
                "clauses": [one.clauses for one in month.checks],
            }
        )
        columns = [
            Column(name="check", heading="Check", width=90, pinned=True),
            Column(name="result", heading="Result", width=90),
            Column(name="severity", heading="Severity", width=80),
            Column(name="title", heading="What it asks", width=460),
            Column(name="population", heading="Looked at", kind="count", width=90),
            Column(name="violations", heading="Found", kind="count", width=80),
            Column(name="clauses", heading="Evidence for", width=320),
        ]
        show(rows, columns, key="all_checks", zone=page.zone, missing="", alt="All checks")
    for one in month.waivers:
        st.caption(
            f"Waived: {md_escape(one.finding_id or one.check_id)} until {one.last_date:%-d %b %Y} by "
            f"{md_escape(page.name_of(one.granted_by))}: {md_escape(one.reason)}"
        )


if __name__ == "__main__":
    render()
