"""The number tiles of one run: what its events add up to, and its times from the build."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

import polars as pl

from app.labels import Number, count, duration, money, plural
from app.views._parts import measures, run_steps, tally, tiles
from app.views._parts.behind import Behind, Built, Live
from app.views._parts.page import Page

Row = Mapping[str, object]
_ORIGIN = "the event log, sealed and open; texts stay where they are."
_KINDS: Mapping[str, pl.DataType] = {
    "event_type": pl.String(),
    "event_id": pl.String(),
    "occurred_at": pl.Datetime("us", "UTC"),
    "turn_index": pl.Int64(),
    "attempt": pl.Int64(),
    "tool_name": pl.String(),
    "tool_outcome": pl.String(),
    "called_by": pl.String(),
    "input_tokens": pl.Int64(),
    "output_tokens": pl.Int64(),
    "list_cost_nano_usd": pl.Int64(),
    "reported_cost_nano_usd": pl.Int64(),
}
_COST = (
    "sum(coalesce(list_cost_nano_usd, reported_cost_nano_usd)) filter (where event_type = 'turn_finished')"
    " / 1000000000"
)
_TURNS = "count(*) filter (where event_type = 'turn_finished')"
_CALLS = (
    "count(*) filter (where event_type = 'tool_call_finished' and coalesce(called_by, '') <> 'user'"
    " and tool_outcome in ('succeeded', 'failed', 'unknown'))"
)
Write = Callable[[Number | None], str]


def show_tiles(page: Page, events: Sequence[Row], told: tally.Totals, known: Row | None) -> None:
    """Cost, machine time, turns and tool calls of the run; ``known`` is the build's row of it."""
    machine, waited = (measures.number((known or {}).get(name)) for name in ("machine_ms", "waiting_ms"))
    priced = f"{told.unpriced} turns without a price" if told.unpriced else "every turn has a price"
    of_run = _of_build(page, str(events[0]["run_id"]))
    of_events = Live(rows=partial(_rows, events), origin=_ORIGIN)
    turns = (of_run, "max(turn_count)") if not told.turns and known is not None else (of_events, _TURNS)
    tiles.row(
        [
            _tile(
                _behind("run_cost", "Cost", "What its model calls cost.", of_events, _COST, money),
                told.cost_usd,
                priced if told.turns else "no model turn among its events",
            ),
            _tile(
                _behind(
                    "run_machine_ms",
                    "Machine time",
                    "From start to end without waits for people.",
                    of_run,
                    "max(machine_ms)",
                    duration,
                ),
                machine,
                f"waited for people {duration(waited)}" if waited else "no wait for people",
            ),
            _tile(
                _behind("run_turns", "Model turns", "Calls of a model that ended.", *turns, count),
                tally.turns(told, known),
                run_steps.tokens(told),
            ),
            _tile(
                _behind("run_tool_calls", "Tool calls", "By the agent, that ran.", of_events, _CALLS, count),
                told.tool_calls,
                f"{plural(told.tool_errors, 'error')} · {plural(told.approvals, 'approval')} asked",
            ),
        ]
    )


def _tile(behind: Behind, value: Number | Decimal | None, basis: str) -> tiles.Tile:
    shown = behind.write(value) if behind.write else ""
    return tiles.Tile(label=behind.label, shown=shown, basis=basis, meaning=behind.meaning, behind=behind)


def _behind(key: str, label: str, meaning: str, source: Built | Live, made_by: str, write: Write) -> Behind:
    return Behind(key=key, label=label, meaning=meaning, source=source, made_by=made_by, write=write)


def _rows(events: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame({name: [event.get(name) for event in events] for name in _KINDS}, schema=_KINDS)


def _of_build(page: Page, run_id: str) -> Built | Live:
    """The build's row of the run; no row while the build is older than the run, or there is none."""
    if page.warehouse is None:
        empty = {"machine_ms": pl.Int64(), "turn_count": pl.Int64()}
        return Live(rows=lambda: pl.DataFrame(schema=empty), origin="there is no build yet.")
    return Built(
        statement=partial(page.statement, "run", run_id=run_id),
        filters={"run_id": run_id},
        meanings=lambda: page.scoped().column_docs("fct_runs"),
    )
