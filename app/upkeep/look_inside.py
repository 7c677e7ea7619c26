"""Looks at the stores: control store and work, log and checkpoints, warehouse."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from app.upkeep.findings import Finding, State
from app.upkeep.vitals import control_vitals, has_control_store, log_vitals, warehouse_vitals
from ingest.log.manifest import Manifest, segments_of
from ingest.shared.arrivals import standing
from ingest.shared.whole import own_beyond
from ingest.workspace import Workspace
from runner.control.core import Core
from runner.control.plane import Control

_LATE = dt.timedelta(minutes=5)
_LONG_UNSIGNED = dt.timedelta(days=1)
_CLOCK_SLACK = dt.timedelta(minutes=5)


def control_store(workspace: Workspace, now: dt.datetime) -> Iterator[Finding]:
    """Whether the control store is whole, and work goes on."""
    if not has_control_store(workspace):
        yield Finding(subject="control store", state="ok", words="nothing was applied or run here yet")
        return
    if workspace.control_url.startswith("sqlite:///"):
        yield from _sqlite(Path(workspace.control_url.removeprefix("sqlite:///")))
    with Control(workspace, process_name="fleetbook doctor") as control:
        yield from _work(control, now)


def _sqlite(file: Path) -> Iterator[Finding]:
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        answer = str(connection.execute("pragma quick_check(1)").fetchone()[0])
    finally:
        connection.close()
    if answer == "ok":
        yield Finding(subject="control store", state="ok", words=f"{file.name} is whole")
    else:
        advice = "Stop every process, then restore control.db with `fleetbook restore`."
        yield Finding(subject="control store", state="broken", words=f"{file.name}: {answer}", advice=advice)


def _work(control: Core, now: dt.datetime) -> Iterator[Finding]:
    vitals = control_vitals(control)
    alive = [worker for worker in vitals.workers if not worker.is_gone]
    playable = vitals.runs["queued"] + vitals.runs["ready"]
    yield Finding(
        subject="runs",
        state="ok",
        words=f"{vitals.runs['running']} running, {vitals.runs['waiting']} waiting for a person, "
        f"{playable} to be taken up, {len(alive)} workers alive",
    )
    late = vitals.oldest_queued_at is not None and now - vitals.oldest_queued_at > _LATE
    if playable and late and not alive:
        yield Finding(
            subject="runs",
            state="look",
            words=f"{playable} runs wait since {vitals.oldest_queued_at:%Y-%m-%d %H:%M} UTC, "
            "and no worker is alive",
            advice="Start one: `fleetbook worker`, or `fleetbook up`.",
        )
    if vitals.abandoned_runs:
        yield Finding(
            subject="runs",
            state="look",
            words=f"{vitals.abandoned_runs} runs belong to a worker that is gone",
            advice="Any worker takes them up: `fleetbook worker --once`.",
        )
    if vitals.overdue_holds:
        yield Finding(
            subject="wallets",
            state="look",
            words=f"{vitals.overdue_holds} holds are past their time",
            advice="Any worker sweeps them; the money counts as spent until then: `fleetbook worker --once`.",
        )
    if vitals.outbox_events and not alive:
        yield Finding(
            subject="outbox",
            state="look",
            words=f"{vitals.outbox_events} events are recorded but not yet in the log",
            advice="`fleetbook recover` or any command that records brings them over.",
        )
    if vitals.notices_given_up:
        yield Finding(
            subject="notices",
            state="look",
            words=f"{vitals.notices_given_up} notices could not be delivered",
            advice="`fleetbook notices list` names them and why.",
        )


def event_log(workspace: Workspace, now: dt.datetime) -> Iterator[Finding]:
    """Whether the log is there, sealed and signed; `fleetbook verify` proves it."""
    vitals = log_vitals(workspace)
    state = vitals.status
    yield Finding(
        subject="log",
        state="ok",
        words=f"{state.sealed_events:,} events in {state.segment_count:,} files, "
        f"{sum(one.event_count for one in state.open_writers):,} not sealed yet",
    )
    if state.missing_files:
        yield Finding(
            subject="log",
            state="broken",
            words=f"{len(state.missing_files)} files are missing or of another size, "
            f"the first {state.missing_files[0]}",
            advice="`fleetbook verify` says which events are concerned; restore them from a backup.",
        )
    dead = [one for one in state.open_writers if not one.is_alive]
    if dead:
        yield Finding(
            subject="log",
            state="look",
            words=f"{len(dead)} writers ended without sealing "
            f"{sum(one.event_count for one in dead):,} events",
            advice="`fleetbook recover` seals them; a build does it too.",
        )
    if state.last_recorded_at is not None and state.last_recorded_at > now + _CLOCK_SLACK:
        yield Finding(
            subject="clock",
            state="broken",
            words=f"the newest event is of {state.last_recorded_at:%Y-%m-%d %H:%M} UTC, "
            f"this machine says {now:%Y-%m-%d %H:%M} UTC",
            advice="Set the clock: budgets, schedules and deadlines go by it.",
        )
    if workspace.record == workspace:
        yield from _signed(vitals.signed_at, state.manifest_lines, state.signed_lines, now)


def shared_record(workspace: Workspace, now: dt.datetime) -> Iterator[Finding]:
    """Whether what several machines recorded arrives in their record, by the copy here; signed, too."""
    if workspace.record == workspace:
        return
    vitals, machines = log_vitals(workspace.record), standing(workspace.record, now)
    missing = sum(one.missing for one in machines)
    words = f"{vitals.status.sealed_events:,} events of {len(machines)} machines, {missing:,} on their way"
    yield Finding(subject="shared record", state="ok", words=words)
    for one in machines:
        if one.is_incomplete:
            yield Finding(
                subject="shared record",
                state="look",
                words=f"machine {one.machine_id}: {one.words}",
                advice="Start it there; when it is gone for good: `fleetbook machines lost`.",
            )
    unshipped = sum(
        len(piece.chunk.bodies)
        for piece in own_beyond(workspace, segments_of(Manifest(workspace.record).entries()))
    )
    if unshipped:
        yield Finding(
            subject="shared record",
            state="ok",
            words=f"{unshipped:,} events of this machine are not in the copy here",
            advice="`fleetbook machines ship` brings them; `fleetbook up` does it.",
        )
    yield from _signed(vitals.signed_at, vitals.status.manifest_lines, vitals.status.signed_lines, now)


def _signed(
    signed_at: dt.datetime | None, lines: int, signed_lines: int | None, now: dt.datetime
) -> Iterator[Finding]:
    advice = "`fleetbook notarise`, as a service of its own user: `fleetbook notarise --every 5`."
    if signed_at is None or signed_lines is None:
        if lines:
            words = "nothing of the log is signed: a change of the whole log would go unseen"
            yield Finding(subject="checkpoint", state="look", words=words, advice=advice)
        return
    words = (
        f"{signed_lines} of {lines} manifest lines are signed, the last time {signed_at:%Y-%m-%d %H:%M} UTC"
    )
    is_late = lines > signed_lines and now - signed_at > _LONG_UNSIGNED
    state: State = "look" if is_late else "ok"
    yield Finding(subject="checkpoint", state=state, words=words, advice=advice if is_late else "")


def warehouse(workspace: Workspace, now: dt.datetime) -> Iterator[Finding]:
    """Whether the pages show what the log holds."""
    vitals = warehouse_vitals(workspace, now)
    if vitals is None:
        found = log_vitals(workspace.record).status
        newest = found.sealed_events + sum(one.event_count for one in found.open_writers)
        state: State = "look" if newest else "ok"
        advice = "`fleetbook build` makes it." if newest else ""
        yield Finding(subject="warehouse", state=state, words="nothing was built yet", advice=advice)
        return
    words = f"generation {vitals.build_id} of {vitals.built_at:%Y-%m-%d %H:%M} UTC"
    late = vitals.freshness
    if late.is_late:
        advice = "`fleetbook build` says why it fails; `fleetbook up` builds every minute."
        if late.state == "slow":
            advice = (
                "Start builds less often (`fleetbook up --build-minutes`), or give them a faster machine."
            )
        yield Finding(subject="warehouse", state="look", words=f"{words}; {late.words}", advice=advice)
    else:
        yield Finding(subject="warehouse", state="ok", words=words)
