"""The page of :mod:`tests.benchmarks.scale`: its tables, and of each number whether it was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from tests.benchmarks.scale import ASSUMED, RUNS_A_DAY, Measured, need, paths


def page(report: Mapping[str, object]) -> str:
    """The calculation as Markdown, from the JSON of a report."""
    cost = Measured.read(report)
    return "\n\n".join((*_head(report), _needs(cost), _ways(cost), *_ends(cost), _inputs(cost))) + "\n"


def _head(report: Mapping[str, object]) -> Iterator[str]:
    machine = report["machine"]
    assert isinstance(machine, Mapping)
    yield "# What a larger fleet needs"
    yield (
        "Calculated by `./fleetbook bench scale --to=tests/benchmarks/scale.md` from "
        "[the measured costs](../../docs/benchmarks.md). No fleet of these sizes was run: everything beyond "
        "the sizes of that report is extrapolated on a straight line. Prices and habits are assumptions at "
        "the top of [`scale.py`](scale.py): change them there and run it again."
    )
    yield (
        f"Costs measured {report['measured_at']} on {machine['cores']} cores ({machine['processor']}), "
        f"sizes: {report['size']}, load {machine['load']} when it began."
    )


def _needs(cost: Measured) -> str:
    told = [need(cost, runs) for runs in RUNS_A_DAY]
    rows: list[tuple[str, list[str]]] = [
        ("events a day", [f"{one.events:,.0f}" for one in told]),
        *(
            (f"CPU hours a day: {part}", [_rough(one.cpu_s[part] / 3600) for one in told])
            for part in told[0].cpu_s
        ),
        ("cores in the busiest hour", [_rough(one.cores) for one in told]),
        ("holds a second in the busiest hour", [_rough(one.peak_holds_per_s) for one in told]),
        (f"log and texts of {ASSUMED.kept_days} days, GB", [_rough(one.log_gb) for one in told]),
        ("tables of them, GB", [_rough(one.marts_gb) for one in told]),
        ("a full build of them, CPU hours", [_rough(one.full_build_cpu_h) for one in told]),
    ]
    title = (
        "## What it takes\n\nEvery cell is extrapolated from the costs below, each of which was measured "
        "once, at the size that the report names."
    )
    return _table(title, ["runs a day", *(f"{runs:,}" for runs in RUNS_A_DAY)], rows)


def _ways(cost: Measured) -> str:
    by_size = [paths(cost, runs) for runs in RUNS_A_DAY]
    rows = []
    for place, way in enumerate(by_size[0]):
        cells = [
            f"{ways[place].machines}; {ways[place].month_usd:,.0f} USD a month"
            + ("" if not ways[place].ends else " (**beyond its end**)")
            for ways in by_size
        ]
        rows.append((way.name, cells))
    return _table("## On each path", ["", *(f"{runs:,} runs a day" for runs in RUNS_A_DAY)], rows)


def _ends(cost: Measured) -> Iterator[str]:
    yield "## Where each path ends"
    for runs in RUNS_A_DAY:
        for way in paths(cost, runs):
            if way.ends:
                yield f"- {way.name}, {runs:,} runs a day: {'; '.join(way.ends)}."
    gate = cost.postgresql_holds_per_s
    for name, rate in (("SQLite", cost.sqlite_holds_per_s), ("PostgreSQL", gate)):
        if rate is not None:
            most = rate * 86_400 / ASSUMED.turns_per_run / ASSUMED.peak_factor
            yield f"- The wallet gate on {name} ends at about {_rough(most)} runs a day (rate measured here)."
    if cost.build_event_cpu_s > 0:
        interval_s = 86_400 / ASSUMED.builds_a_day
        kept = ASSUMED.kept_days * ASSUMED.events_per_run
        most = interval_s / (kept * cost.build_event_cpu_s)
        yield (
            "- While spans of agents elsewhere are in the log, each build is a full one "
            "([decision 19](../../docs/decisions/0019-builds-go-on.md)): beyond about "
            f"{_rough(most)} runs a day one core no longer makes it between two builds."
        )
    yield (
        "- The log has no end of its own in these sizes: writers do not wait for each other, and reading is "
        "by day."
    )


def _inputs(cost: Measured) -> str:
    measured = [
        (field.name, ["", "not measured"] if value is None else [_rough(value), "measured"])
        for field in dataclasses.fields(cost)
        for value in (getattr(cost, field.name),)
    ]
    assumed = [
        (field.name, [_rough(float(getattr(ASSUMED, field.name))), "assumed"])
        for field in dataclasses.fields(ASSUMED)
    ]
    note = (
        "\n\n`build_fixed_cpu_s` and `build_event_cpu_s` are the line through two measured builds, a full "
        "one and one of a day more; everything above is made of these."
    )
    return _table("## What it is made of", ["", "value", "which is"], [*measured, *assumed]) + note


def _rough(value: float) -> str:
    """Three significant digits, thousands with commas: more would say more than is known."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def _table(title: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return f"{title}\n\n" + "\n".join(lines)
