"""Health: is anything missing, broken or unknown? Unregistered agents, sources, quarantine, log, workers."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app import identity
from app.desk import Desk
from app.labels import count, plural
from app.live import health
from app.live.health import Disk
from app.views._parts import controls, machinery, measures
from app.views._parts.controls import Period
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.providers import show_providers
from app.views._parts.tables import Column, show

_DISK_AGE_S = 60


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Health", "Is anything missing, broken or unknown?")
    machinery.show_machinery()
    period = controls.period(page) if page.warehouse is not None else None
    unknown, charged, sources, refused, builds, disk = st.tabs(
        ["Unregistered agents", "Providers", "Sources", "Quarantine", "Builds", "Disk"]
    )
    with unknown:
        _unregistered(page, period)
    with charged:
        _providers(page, period)
    with sources:
        _sources(page, period)
    with refused:
        _quarantine(page)
    with builds:
        _builds(page)
    with disk:
        _disk(page, _measured(page.desk, str(identity.home_folder())))


@st.cache_data(show_spinner=False, ttl=_DISK_AGE_S)
def _measured(_desk: Desk, home: str) -> Disk:
    """The folders' sizes, measured once a minute for everybody; ``home`` is the key of the cache."""
    return health.disk(_desk)


def _unregistered(page: Page, period: Period | None) -> None:
    if period is None:
        empty("No build yet: unregistered agents appear here after one.", "build")
        return
    rows = page.ask("unregistered", first_date=period.first_date, last_date=period.last_date)
    if rows.is_empty():
        empty(f"No unregistered agent was seen, {period.words}. Every run belongs to a declared one.")
        return
    st.caption(
        f"{plural(rows.height, 'agent')} that no registry declares, {period.words}. Declare them in "
        "registry.yaml, or claim them with an alias."
    )
    columns = [
        Column(name="agent_id", heading="Agent", width=220),
        Column(name="team", heading="Team", width=100),
        Column(name="recorded_via", heading="Came by", width=100),
        Column(name="first_run_at", heading="First seen", kind="time", width=140),
        Column(name="last_run_at", heading="Last seen", kind="time", width=140),
        Column(name="runs", heading="Runs", kind="count", width=70),
        Column(name="tool_calls", heading="Tool calls", kind="count", width=90),
        Column(name="cost_usd", heading="Known cost", kind="money", width=110),
        Column(name="runs_cost_unknown", heading="Cost unknown", kind="count", width=105),
        Column(name="model_name", heading="Model"),
    ]
    named = rows.with_columns(team=page.teamed("team_id"))
    show(named, columns, key="unregistered", zone=page.zone, height="auto", alt="Unregistered agents")


def _providers(page: Page, period: Period | None) -> None:
    if period is None:
        empty("No build yet: what providers charge is compared after one.", "build")
        return
    show_providers(page, period)


def _sources(page: Page, period: Period | None) -> None:
    """Each source as it was scanned last: what it was said to hold, what was reached, what failed."""
    if period is None:
        empty("No build yet: sources appear here after one.", "build")
        return
    measures.row(page, ("log_completeness",), period)
    rows = page.ask("coverage")
    if rows.is_empty():
        empty(
            "No source was scanned within your scope. An import records each file it reads.", "import <file>"
        )
        return
    failed, missing = (int(rows[name].fill_null(0).sum()) for name in ("failed", "missing"))
    unknown = rows["expected"].null_count()
    st.markdown(
        f"**{plural(rows.height, 'source')}**: {plural(failed, 'run')} failed, {count(missing)} missing; "
        f"{unknown} do not say how many they hold."
    )
    columns = [
        Column(name="source_file", heading="Source"),
        Column(name="recorded_via", heading="Came by", width=100),
        Column(name="scanned_at", heading="Scanned", kind="time", width=140),
        Column(name="expected", heading="Expected", kind="count", width=90),
        Column(name="reached", heading="Reached", kind="count", width=90),
        Column(name="failed", heading="Failed", kind="count", width=80),
        Column(name="missing", heading="Missing", kind="count", width=80),
        Column(name="warnings", heading="Warnings"),
    ]
    show(rows, columns, key="sources", zone=page.zone, height="auto", alt="Sources")


def _quarantine(page: Page) -> None:
    found = health.quarantined(page.desk, page.person.person_id)
    if found is None:
        empty("Refused runs belong to no team yet: who sees all teams finds them here.")
        return
    if not found:
        empty("The quarantine is empty: every run that was read was taken in.")
        return
    total = sum(one.run_count for one in found)
    st.caption(
        f"{plural(total, 'run')} refused. Correct the cause, then `fleetbook quarantine replay` reads them "
        "again."
    )
    rows = pl.DataFrame(
        {
            "runs": [one.run_count for one in found],
            "reason": [one.reason for one in found],
            "file": [one.source_file for one in found],
        }
    )
    columns = [
        Column(name="runs", heading="Runs", kind="count", width=70),
        Column(name="reason", heading="Reason"),
        Column(name="file", heading="Source", width=260),
    ]
    show(rows, columns, key="quarantine", zone=page.zone, height="auto", alt="Quarantine")


def _builds(page: Page) -> None:
    rows = health.builds(page.desk)
    if not rows:
        empty("No build yet.", "build")
        return
    table = pl.DataFrame(
        {
            "build": [one.build_id for one in rows],
            "built": [one.built_at for one in rows],
            "until": [one.data_until for one in rows],
            "events": [one.event_count for one in rows],
            "took": [None if one.seconds is None else one.seconds * 1000 for one in rows],
            "current": ["shown now" if one.is_current else "" for one in rows],
        },
        schema_overrides={"until": pl.Datetime(time_zone="UTC"), "took": pl.Float64},
    )
    columns = [
        Column(name="build", heading="Build", width=80),
        Column(name="built", heading="Built", kind="time", width=150),
        Column(name="until", heading="Data until", kind="time", width=150),
        Column(name="events", heading="Events", kind="count", width=110),
        Column(name="took", heading="Took", kind="duration", width=90),
        Column(name="current", heading=""),
    ]
    show(table, columns, key="builds", zone=page.zone, height="auto", alt="Builds")


def _disk(page: Page, found: Disk) -> None:
    free = found.free_bytes / found.total_bytes if found.total_bytes else 0.0
    used = sum(found.parts.values())
    st.markdown(
        f"The workspace takes **{_bytes(used)}**; {_bytes(found.free_bytes)} of {_bytes(found.total_bytes)} "
        f"are free on its disk ({free:.0%})."
    )
    largest = sorted(found.parts.items(), key=lambda part: -part[1])
    rows = pl.DataFrame(
        {"part": [name for name, _ in largest], "size": [_bytes(size) for _, size in largest]}
    )
    columns = [Column(name="part", heading="Part"), Column(name="size", heading="Size", width=120)]
    show(rows, columns, key="disk", zone=page.zone, height="auto", alt="Disk by part")


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


if __name__ == "__main__":
    render()
