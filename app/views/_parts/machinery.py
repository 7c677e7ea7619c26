"""Tiles of the machinery, which refresh by themselves: freshness, log, what is signed of it, workers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from app import identity
from app.desk import Desk
from app.errors import PRODUCT_ERRORS
from app.labels import Number, ago, clock, count, md_escape, plural
from app.live import health
from app.live.health import Freshness, LogHealth
from app.views._parts import tiles
from app.views._parts.behind import Behind, Live
from app.views._parts.page import Page, current

REFRESH_S = 15
_LOG_AGE_S = 5
Cells = Mapping[str, Sequence[object]]
_LOG = "the log of the workspace and its checkpoints, as `fleetbook log status` shows them."


@st.fragment(run_every=REFRESH_S)
def show_machinery() -> None:
    """The tiles, asked again every few seconds."""
    page, now = current(), dt.datetime.now(dt.UTC)
    try:
        log = _log_health(page.desk, str(identity.home_folder()))
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=":material/error:")
        return
    tiles.row([_fresh(page, now), _log(log), _signed(log, now), _workers(page)], is_alone=True)


@st.cache_data(show_spinner=False, ttl=_LOG_AGE_S)
def _log_health(_desk: Desk, home: str) -> LogHealth:
    """The log's state, read once for everybody who looks; ``home`` is the key of the cache."""
    return health.log_health(_desk)


def _tile(behind: Behind, value: Number | None, basis: str) -> tiles.Tile:
    shown = behind.write(value) if behind.write else ""
    return tiles.Tile(label=behind.label, shown=shown, basis=basis, meaning=behind.meaning, behind=behind)


def _live(rows: Cells, origin: str) -> Live:
    return Live(rows=lambda: pl.DataFrame(rows), origin=origin)


def _fresh(page: Page, now: dt.datetime) -> tiles.Tile:
    build = page.warehouse
    until = build.data_until if build else None
    age = (now - until).total_seconds() if until else None
    rows: Cells = {"build_id": [build.build_id if build else None], "data_until": [until], "age_s": [age]}
    behind = Behind(
        key="data_until",
        label="Data until",
        meaning="Newest event that the pages' numbers are made from.",
        source=_live(rows, "the generation of the warehouse that is shown."),
        made_by="min(age_s)",
        write=lambda age_s: "no build yet" if age_s is None else f"{ago(age_s)} ago",
    )
    told = f"build {build.build_id}, {clock(build.built_at, now)}" if build else "fleetbook build makes one"
    if build:
        told += f" · {_standing(health.freshness(page.desk, build, now), now)}"
    return _tile(behind, age, told)


def _standing(fresh: Freshness, now: dt.datetime) -> str:
    if fresh.state == "fresh":
        return "it holds the whole log"
    if fresh.state == "waiting":
        return f"new events since {clock(fresh.looked_at, now)} come with the next one"
    return fresh.words


def _log(log: LogHealth) -> tiles.Tile:
    dead = f" · {plural(log.dead_writers, 'writer')} ended without sealing" if log.dead_writers else ""
    rows: Cells = {"state": ["sealed", "open"], "event_count": [log.sealed_events, log.open_events]}
    behind = Behind(
        key="log_events",
        label="Events in the log",
        meaning="Sealed and still open. `fleetbook verify` recomputes every hash; this page does not.",
        source=_live(rows, _LOG),
        made_by="sum(event_count)",
        write=count,
    )
    told = f"{plural(log.segment_count, 'segment')}, {log.recovered_segments} recovered"
    return _tile(
        behind,
        log.sealed_events + log.open_events,
        f"{told} · {count(log.open_events)} not sealed yet{dead}",
    )


def _signed(log: LogHealth, now: dt.datetime) -> tiles.Tile:
    signed_at, lines = log.signed.signed_at, log.signed.line_count
    age = (now - signed_at).total_seconds() if signed_at else None
    unsigned = max(log.manifest_lines - (lines or 0), 0)
    behind = Behind(
        key="log_signed",
        label="Signed",
        meaning="Newest signed checkpoint: what it covers cannot be changed unseen.",
        source=_live({"signed_at": [signed_at], "line_count": [lines], "age_s": [age]}, _LOG),
        made_by="min(age_s)",
        write=lambda age_s: "never" if age_s is None else f"{ago(age_s)} ago",
    )
    told = f"{count(lines)} of {plural(log.manifest_lines, 'manifest line')}"
    told += f" · {unsigned} not signed" if unsigned else ""
    return _tile(behind, age, told if signed_at else "fleetbook notarise signs the log")


def _workers(page: Page) -> tiles.Tile:
    seen = health.workers_seen(page.desk)
    alive = [one for one in seen if not one.is_gone]
    gone = f" · {len(seen) - len(alive)} silent" if len(seen) > len(alive) else ""
    rows: Cells = {
        "worker": [one.owner for one in seen],
        "seen_at": [one.seen_at for one in seen],
        "is_gone": [one.is_gone for one in seen],
        "playing_count": [one.playing_count for one in seen],
    }
    behind = Behind(
        key="workers_alive",
        label="Workers alive",
        meaning="Processes that play runs and fire schedules; each tells every few seconds that it is there.",
        source=_live(rows, "the control store, as `fleetbook worker --status` shows it."),
        made_by="count(*) filter (where not is_gone)",
        write=count,
    )
    playing = sum(one.playing_count for one in alive)
    nobody = "none: queued runs and schedules wait for fleetbook worker"
    return _tile(behind, len(alive), f"{plural(playing, 'run')} in hand{gone}" if seen else nobody)
