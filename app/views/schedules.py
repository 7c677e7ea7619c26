"""Schedules: what was expected, what fired, what was late, missed or refused; pausing and resuming."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence

import polars as pl
import streamlit as st

from app import scatter
from app.labels import md_escape, moment, plural, words
from app.live import rota
from app.live.rota import Expected, ScheduleRow
from app.views._parts import acting, behind, controls
from app.views._parts.page import Page, current, empty, heading, nothing, open_run
from app.views._parts.tables import Column, show

MONTHS_OFFERED = 6
_SAID = "schedule_said"
_MOST_ROWS = 500


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Schedules", "Did everything run that was to run?")
    if not page.shows_live:
        nothing("The schedules of this workspace are demo data. Choose Demo under Rows to see them.")
    acting.said(_SAID)
    rows = rota.schedules(page.desk, page.person.person_id)
    first = _month(page)
    since, until = (_midnight(page, day) for day in (first, _next_month(first)))
    slots = rota.fires(page.desk, page.person.person_id, since, until)
    if not rows and not slots:
        nothing(
            "No schedule within your scope. A schedule runs an agent by itself, as a person.",
            'schedules add <id> --agent <agent> --cron "0 8 * * 1" --task "<task>" --as <person>',
        )
    st.markdown(_answer(slots, first))
    _grid(page, slots, first)
    _troubles(page, slots)
    _standings(page, rows)


def _month(page: Page) -> dt.date:
    this = page.now.astimezone(page.zone).date().replace(day=1)
    months = [this]
    while len(months) < MONTHS_OFFERED:
        months.append((months[-1] - dt.timedelta(days=1)).replace(day=1))
    options = {f"{one:%Y-%m}": f"{one:%B %Y}" for one in months}
    return dt.date.fromisoformat(controls.one_of_many("Month", "month", options) + "-01")


def _next_month(first: dt.date) -> dt.date:
    return (first + dt.timedelta(days=31)).replace(day=1)


def _midnight(page: Page, day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), page.zone).astimezone(dt.UTC)


def _answer(slots: Sequence[Expected], first: dt.date) -> str:
    counts = _counted(slots)
    come = sum(counts[word] for word in ("fired", "missed", "refused", "due"))
    return (
        f"**{plural(counts['missed'], 'slot')} missed** and {counts['refused']} refused of {come} that "
        f"have come in {first:%B %Y}: {counts['fired']} fired, {counts['late']} of them late; "
        f"{counts['due']} due now, {counts['to come']} still to come."
    )


def _counted(slots: Sequence[Expected]) -> Counter[str]:
    counts = Counter(one.status for one in slots)
    counts["late"] = sum(one.is_late and one.status == "fired" for one in slots)
    return counts


def _grid(page: Page, slots: Sequence[Expected], first: dt.date) -> None:
    """One row per schedule, one cell per day: the worst that happened, with how many slots it was."""
    if not slots:
        empty("No slot in this month.")
        return
    cells: dict[tuple[str, int], list[Expected]] = defaultdict(list)
    for one in slots:
        cells[one.schedule_id, one.slot_at.astimezone(page.zone).day].append(one)
    names = sorted({name for name, _ in cells})
    days = (_next_month(first) - first).days
    grid = [[_cell(cells.get((name, day), [])) for day in range(1, days + 1)] for name in names]
    source = behind.Behind(
        key="month_grid",
        label="Slots of the month",
        meaning="Each slot of each schedule in the month, and what became of it.",
        source=behind.Live(
            rows=lambda: pl.DataFrame(slots), origin="the control store, as `fleetbook schedules` shows it."
        ),
    )
    behind.chart(
        source,
        scatter.month_grid(names, days, grid, page.colours),
        caption="Each cell is a day: M missed, R refused, L late; filled without a letter: all fired; "
        "· still to come. Point at a day for its counts.",
    )


def _cell(slots: Sequence[Expected]) -> scatter.Cell | None:
    if not slots:
        return None
    counts = _counted(slots)
    told = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()) if number)
    for name, state, mark in (
        ("missed", "bad", "M"),
        ("refused", "bad", "R"),
        ("late", "fair", "L"),
        ("fired", "good", ""),
    ):
        if counts[name]:
            return scatter.Cell(state=state, mark=mark, told=told)
    return scatter.Cell(state="off", mark="·", told=told)


def _troubles(page: Page, slots: Sequence[Expected]) -> None:
    """The slots that did not go as declared, newest first; a click opens the run."""
    found = [one for one in slots if one.status in ("missed", "refused") or one.is_late][::-1]
    st.subheader("Missed, refused and late", anchor=False)
    if not found:
        empty("Nothing was missed, refused or late in this month.")
        return
    shown = found[:_MOST_ROWS]
    rest = f"; the newest {_MOST_ROWS} below" if len(found) > _MOST_ROWS else ""
    st.caption(f"{plural(len(found), 'slot')}{rest}.")
    rows = pl.DataFrame(
        {
            "slot": [one.slot_at for one in shown],
            "schedule": [one.schedule_id for one in shown],
            "became": [f"{one.status}{', late' if one.is_late else ''}" for one in shown],
            "reason": [one.reason or "" for one in shown],
            "run": [(one.run_id or "")[-12:] for one in shown],
        }
    )
    columns = [
        Column(name="slot", heading="Slot", kind="time", width=140),
        Column(name="schedule", heading="Schedule", width=170),
        Column(name="became", heading="Became", width=110),
        Column(name="run", heading="Run", opens=True, width=125),
        Column(name="reason", heading="Why"),
    ]
    clicked = show(rows, columns, key="slots", zone=page.zone, height="auto", missing="", alt="Slots")
    if clicked is not None and shown[clicked].run_id:
        open_run(str(shown[clicked].run_id))


def _standings(page: Page, rows: Sequence[ScheduleRow]) -> None:
    """How each schedule stands, and the switch for who may change it."""
    st.subheader("Schedules declared", anchor=False)
    if not rows:
        empty("No schedule is declared within your scope any more.")
    names = page.agent_names()
    for row in rows:
        one = row.standing
        with st.container(border=True):
            state = ":orange-badge[paused]" if one.paused else ":green-badge[active]"
            agent = md_escape(names.get(one.agent_id, one.agent_id))
            st.markdown(
                f"**{md_escape(one.schedule_id)}** {state}  \n{agent} as "
                f"{md_escape(page.name_of(one.run_as))} · {md_escape(one.words)} ({md_escape(one.time_zone)})"
            )
            st.caption(_line(page, row))
            _switch(page, row)


def _line(page: Page, row: ScheduleRow) -> str:
    one = row.standing
    slots = ", ".join(moment(slot, page.zone) for slot in one.next_slots)
    last = f"last {moment(one.last_slot, page.zone)}: {one.last_status}" if one.last_slot else "no slot yet"
    return (
        f"Next: {slots or 'none while paused'} · {last} · all time: {one.fired_count} fired "
        f"({one.late_count} late), {one.missed_count} missed, {one.refused_count} refused · "
        f"when nobody was there: {words(one.misfire)}"
    )


def _switch(page: Page, row: ScheduleRow) -> None:
    one = row.standing
    if not row.can_change:
        st.caption(f":material/lock: {md_escape(row.cannot_reason)}.")
        return
    verb = "Resume" if one.paused else "Pause"
    with (
        st.form(f"switch_{one.schedule_id}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        reason = st.text_input("Reason for the change", max_chars=300, key=f"why_{one.schedule_id}")
        clicked = st.form_submit_button(f"{verb} this schedule")
    if clicked:
        acting.act(_SAID, lambda: _set(page, row, not one.paused, reason))


def _set(page: Page, row: ScheduleRow, paused: bool, reason: str) -> str:
    name = row.standing.schedule_id
    rota.set_paused(page.desk, page.person.person_id, name, paused, reason)
    word = "paused" if paused else "active again"
    return f"Schedule {md_escape(name)} is {word}: registry.yaml and the log say so."


if __name__ == "__main__":
    render()
