"""Health: is anything missing, broken or unknown? Unregistered agents, sources, quarantine, log, workers."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.labels import ago, clock, count, md_escape, plural
from app.live import health
from app.live.health import Disk, LogHealth
from app.views._parts import controls, tiles
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.tables import Column, show

REFRESH_S = 15


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Health", "Is anything missing, broken or unknown?")
    _machinery()
    unknown, sources, refused, builds, disk = st.tabs(
        ["Unregistered agents", "Sources", "Quarantine", "Builds", "Disk"]
    )
    with unknown:
        _unregistered(page)
    with sources:
        _sources(page)
    with refused:
        _quarantine(page)
    with builds:
        _builds(page)
    with disk:
        _disk(page, health.disk(page.desk))


@st.fragment(run_every=REFRESH_S)
def _machinery() -> None:
    """Tiles that refresh by themselves: freshness, log, what is signed of it, workers."""
    page, now = current(), dt.datetime.now(dt.UTC)
    try:
        log = health.log_health(page.desk)
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=":material/error:")
        return
    tiles.row([_fresh(page, now), _log(log), _signed(log, now), _workers(page, now)])


def _fresh(page: Page, now: dt.datetime) -> tiles.Tile:
    until = page.warehouse.data_until if page.warehouse else None
    return tiles.Tile(
        label="Data until",
        shown=f"{ago((now - until).total_seconds())} ago" if until else "no build yet",
        basis=f"build {page.warehouse.build_id}, {clock(page.warehouse.built_at, now)}"
        if page.warehouse
        else "fleetbook build makes one",
        meaning="Newest event that the pages' numbers are made from.",
    )


def _log(log: LogHealth) -> tiles.Tile:
    open_events = f"{count(log.open_events)} not sealed yet"
    dead = f" · {plural(log.dead_writers, 'writer')} ended without sealing" if log.dead_writers else ""
    return tiles.Tile(
        label="Events in the log",
        shown=count(log.sealed_events + log.open_events),
        basis=f"{plural(log.segment_count, 'segment')}, {log.recovered_segments} recovered · "
        f"{open_events}{dead}",
        meaning="Sealed and still open. `fleetbook verify` recomputes every hash; this page does not.",
    )


def _signed(log: LogHealth, now: dt.datetime) -> tiles.Tile:
    if log.signed.line_count is None or log.signed.signed_at is None:
        return tiles.Tile(label="Signed", shown="never", basis="fleetbook notarise signs the log")
    behind = max(log.manifest_lines - log.signed.line_count, 0)
    return tiles.Tile(
        label="Signed",
        shown=f"{ago((now - log.signed.signed_at).total_seconds())} ago",
        basis=f"{count(log.signed.line_count)} of {plural(log.manifest_lines, 'manifest line')}"
        + (f" · {behind} not signed" if behind else ""),
        meaning="Newest signed checkpoint: what it covers cannot be changed unseen.",
    )


def _workers(page: Page, now: dt.datetime) -> tiles.Tile:
    seen = health.workers_seen(page.desk)
    alive = [one for one in seen if not one.is_gone]
    gone = f" · {len(seen) - len(alive)} silent" if len(seen) > len(alive) else ""
    playing = sum(one.playing_count for one in alive)
    return tiles.Tile(
        label="Workers alive",
        shown=count(len(alive)),
        basis=f"{plural(playing, 'run')} in hand{gone}"
        if seen
        else "none: queued runs and schedules wait for fleetbook worker",
        meaning="Processes that play runs and fire schedules; each tells every few seconds that it is there.",
    )


def _unregistered(page: Page) -> None:
    if page.warehouse is None:
        empty("No build yet: unregistered agents appear here after one.", "build")
        return
    period = controls.period(page)
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


def _sources(page: Page) -> None:
    """Each source as it was scanned last: what it was said to hold, what was reached, what failed."""
    if page.warehouse is None:
        empty("No build yet: sources appear here after one.", "build")
        return
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
