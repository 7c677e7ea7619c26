"""One run drawn: its timeline, its steps with texts, its totals, and the proof of each event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from app import charts
from app.labels import count, duration, md_escape, moment_utc, money, plural
from app.views._parts import behind, replay, tally
from app.views._parts.measures import number
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show
from app.views._parts.tally import Totals

Row = Mapping[str, object]
# Steps that are drawn with their texts; every event stands in the proof.
MAX_STEPS = 200
NOT_SHOWN = "This text is not shown: you may not read it, or it was erased."
LOCKED = "This text is encrypted, and its key is not at hand: set FLEETBOOK_PAYLOAD_KEY for the pages."
NOT_KEPT = "This text was not kept: content_capture of the agent or its team says so in registry.yaml."


def timeline(page: Page, events: Sequence[Row]) -> None:
    """The run as lanes over elapsed time."""
    steps = replay.steps(events, page.name_of)
    spans = [
        charts.Span(
            lane=step.lane,
            label=step.title,
            started_at=step.active_from,
            ended_at=step.ended_at or page.now,
            colour=page.colours.bad if step.is_bad else _lane_colour(page, step.lane),
        )
        for step in steps
    ]
    if spans:
        lanes = [lane for lane in replay.LANES if any(span.lane == lane for span in spans)]
        source = behind.Behind(
            key="timeline",
            label="Timeline of the run",
            meaning="The steps of the run: what it did and when, one row per step.",
            source=behind.Live(rows=lambda: _drawn(spans), origin="the event log, sealed and open."),
        )
        behind.chart(source, charts.timeline(spans, lanes, page.colours))


def _drawn(spans: Sequence[charts.Span]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "lane": [span.lane for span in spans],
            "step": [span.label for span in spans],
            "started_at": [span.started_at for span in spans],
            "ended_at": [span.ended_at for span in spans],
        }
    )


def listing(page: Page, events: Sequence[Row]) -> None:
    """Each step: when, facts, and its texts as text."""
    steps = replay.steps(events, page.name_of)
    start = steps[0].started_at if steps else None
    for step in steps[:MAX_STEPS]:
        _step(step, start)
    if len(steps) > MAX_STEPS:
        st.caption(
            f"{plural(len(steps) - MAX_STEPS, 'further step')} not drawn; the proof lists every event."
        )


def _step(step: replay.Step, start: dt.datetime | None) -> None:
    with st.container(border=True, gap="xsmall"):
        left, right = st.columns([5, 1], vertical_alignment="center")
        title = f":red[{md_escape(step.title)}]" if step.is_bad else md_escape(step.title)
        left.markdown(f"{step.icon} **{title}**")
        if start is not None:
            right.caption(
                f"after {duration((step.started_at - start).total_seconds() * 1000)}",
                help=moment_utc(step.started_at),
                text_alignment="right",
            )
        if step.facts:
            st.caption(" · ".join(f"{label}: {md_escape(fact)}" for label, fact in step.facts))
        for text in step.texts:
            if text.heading:
                st.caption(text.heading)
            if text.content is None:
                st.caption(NOT_KEPT if text.is_unkept else LOCKED if text.is_locked else NOT_SHOWN)
            else:
                st.code(text.content, language=None, wrap_lines=True)


def ties(page: Page, told: Totals, known: Row | None) -> None:
    """What the events add up to beside what the warehouse says of the run."""
    if known is None:
        empty(
            "This run is newer than the build. After the next build its totals stand here side by side.",
            "build",
        )
        return
    cost = known["list_cost_usd"] if known["list_cost_usd"] is not None else known["cost_usd"]
    lines = [
        ("Model turns", count(tally.turns(told, known)), count(number(known["turn_count"]))),
        ("Tool calls executed", count(told.tool_calls), count(number(known["executed_tool_call_count"]))),
        ("Tool errors", count(told.tool_errors), count(number(known["tool_error_count"]))),
        ("Approvals asked", count(told.approvals), count(number(known["approval_count"]))),
        ("Input tokens", count(told.input_tokens), count(number(known["input_tokens"]))),
        ("Output tokens", count(told.output_tokens), count(number(known["output_tokens"]))),
        ("Cost", money(told.cost_usd), money(number(cost))),
    ]
    rows = pl.DataFrame(
        {
            "what": [line[0] for line in lines],
            "events": [line[1] for line in lines],
            "build": [line[2] for line in lines],
            "ties": ["yes" if line[1] == line[2] else "no" for line in lines],
        }
    )
    columns = [
        Column(name="what", heading="Total"),
        Column(name="events", heading="Added up from the events"),
        Column(name="build", heading=f"In build {page.built().build_id}"),
        Column(name="ties", heading="Ties"),
    ]
    show(rows, columns, key="ties", zone=page.zone, alt="Totals of the run")
    if "no" in rows["ties"]:
        st.caption(
            "A difference means that the run went on after the build, or that the source states no usage."
        )


def proof(page: Page, events: Sequence[Row]) -> None:
    """Every event with its writer, its place in that writer's chain, and its hash."""
    names = ("seq", "occurred_at", "event_type", "writer_id", "event_id", "hash")
    rows = pl.DataFrame(
        {name: [event.get(name) for event in events] for name in names}, infer_schema_length=None
    ).with_columns(pl.col("hash").cast(pl.String))
    declared = next(
        (event.get("declared_event_count") for event in events if event.get("declared_event_count")), None
    )
    said = (
        "" if declared is None else f" The recorder declared {plural(_whole(declared), 'event')} at the end."
    )
    st.caption(
        f"{plural(len(events), 'event')} of this run in the log.{said} Each hash covers the event and the "
        "hash before it in its writer's chain; `fleetbook verify` recomputes all of them."
    )
    columns = [
        Column(name="occurred_at", heading="When", kind="time", width=140),
        Column(name="event_type", heading="Event", width=180),
        Column(name="writer_id", heading="Writer", width=220),
        Column(name="seq", heading="Seq", kind="count", width=75),
        Column(name="hash", heading="Hash", width=260),
        Column(name="event_id", heading="Event id"),
    ]
    show(rows, columns, key="proof", zone=page.zone, missing="not sealed yet", alt="Events of the run")


def tokens(told: Totals) -> str:
    """Tokens in and out in words."""
    return f"{count(told.input_tokens)} tokens in · {count(told.output_tokens)} out"


def _lane_colour(page: Page, lane: str) -> str:
    colours = page.colours
    return {"model": colours.accent, "tools": colours.series[2], "people": colours.series[3]}.get(
        lane, colours.off
    )


def _whole(cell: object) -> int:
    return cell if isinstance(cell, int) else 0
