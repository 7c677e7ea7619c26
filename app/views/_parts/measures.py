"""Tiles from the warehouse's metrics: value, basis and change of each, and the rows behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

import streamlit as st

from app import labels
from app.labels import Number
from app.views._parts import tiles
from app.views._parts.behind import Behind, Built
from app.views._parts.controls import Period
from app.views._parts.page import Filter, Page

Row = Mapping[str, object]

# Which way is better; a measure that is not here has no better way.
_BETTER: Mapping[str, tiles.Good] = {
    "success_rate": "up",
    "cost_per_run": "down",
    "cost_per_success": "down",
    "machine_p50_ms": "down",
    "machine_p95_ms": "down",
    "end_to_end_p50_ms": "down",
    "tool_error_rate": "down",
    "runs_with_tool_error_share": "down",
    "failed_share": "down",
    "unknown_cost_share": "down",
    "interventions": "down",
    "refusals": "down",
}
# Labels short enough for a tile on a phone; the definition is in the tooltip.
_SHORT = {
    "success_rate": "Success rate",
    "cost_per_success": "Cost per success",
    "unknown_cost_share": "Cost not exact",
    "machine_p50_ms": "Machine p50",
    "machine_p95_ms": "Machine p95",
    "end_to_end_p50_ms": "End to end p50",
    "tool_error_rate": "Tool errors",
    "approval_rate": "Approval rate",
    "changed_approval_share": "With changes",
    "decide_p50_s": "Time to decide",
    "decided_under_2s_share": "Decided under 2 s",
}
# From which relative change on an amount is called better or worse.
_CLEAR = 0.05
# Kinds of measures that add up over days: of unequal periods their change says nothing.
_SUMS = ("count", "sum")
# What a measure counts, where it is not runs.
_CASES = {
    "tool_error_rate": "tool calls",
    "approval_rate": "decisions",
    "changed_approval_share": "decisions",
    "decide_p50_s": "decisions",
    "decide_p90_s": "decisions",
    "decided_under_2s_share": "decisions",
}


def row(
    page: Page,
    measures: Sequence[str],
    period: Period | None,
    *,
    per_row: int = 4,
    group: str = "",
    shows_both: bool = False,
    **filters: Filter,
) -> dict[str, Row]:
    """Show a tile per measure and return the current rows by measure.

    ``group`` tells the tiles of one page apart where a measure stands on it more than once; ``shows_both``
    gives what a number is compared with beside its change.
    """
    rows = asked(page, measures, period, **filters)
    now = {str(one["measure"]): one for one in rows if one["period"] == "current"}
    before = {str(one["measure"]): one for one in rows if one["period"] == "previous"}
    obstacle = _obstacle(page, period)
    if obstacle:
        before = {}
    runs = number(now["runs"]["value"]) if "runs" in now else None
    tiles.row(
        [
            _tile(
                now[name],
                before.get(name),
                runs,
                period,
                _behind(page, now[name], group, period, filters),
                shows_both=shows_both,
            )
            for name in measures
            if name in now
        ],
        per_row=per_row,
    )
    st.caption(_reading(period, obstacle))
    return now


def asked(page: Page, measures: Sequence[str], period: Period | None, **filters: Filter) -> list[Row]:
    """Rows of the question ``tiles``: one per measure and period."""

    days = _days(period) | _compared(period)
    return list(page.ask("tiles", measures=tuple(measures), **days, **filters).to_dicts())


def shown(one: Row) -> str:
    """The value of a tile row as people write it."""
    return written(one, number(one["value"]))


def written(one: Row, amount: Number | None) -> str:
    """``amount`` of the measure of a tile row as people write it."""
    if amount is None:
        return "none" if one["denominator"] == 0 and one["kind"] != "sum" else labels.UNKNOWN
    writers: dict[str, Callable[[Number], str]] = {
        "money": labels.money,
        "percent": labels.share,
        "duration": labels.duration if one["unit"] == "ms" else _seconds,
    }
    return writers.get(str(one["format"]), labels.count)(amount)


def _seconds(amount: Number) -> str:
    return labels.duration(float(amount) * 1000)


def basis(one: Row) -> str:
    """What the value rests on: k of n with interval, or n."""
    k, n = number(one["numerator"]), number(one["denominator"])
    if not n:
        return (
            "" if one["kind"] == "count" else f"no {_CASES.get(str(one['measure']), 'runs')} in this period"
        )
    small = " · too few to judge" if one["is_small"] else ""
    if one["kind"] == "share":
        interval = labels.interval(number(one["low"]), number(one["high"]))
        return f"{labels.fraction(k, n)} · {interval}{small}"
    if one["kind"] == "quotient" and one["format"] == "money":
        return f"{labels.money(k)} ÷ {labels.count(n)}{small}"
    if one["kind"] == "quotient":
        return f"{labels.money(k)} of {labels.money(n)}"
    if one["kind"] == "percentile":
        return f"n = {labels.count(n)}{small}"
    return ""


def _behind(page: Page, now: Row, group: str, period: Period | None, filters: Mapping[str, Filter]) -> Behind:
    """The fact rows of a measure, and the SQL that makes its number of them."""
    name = str(now["measure"])
    cut: dict[str, Filter] = {**_days(period), **filters}
    return Behind(
        key=f"{group}_{name}" if group else name,
        label=str(now["label"]),
        meaning=str(now["definition"]),
        made_by=str(now["made_by"]),
        write=partial(written, now),
        source=Built(
            statement=partial(page.rows_of, name, **cut),
            filters={"measure": name, **cut},
            meanings=partial(page.docs_of, name),
        ),
    )


def _tile(
    now: Row,
    before: Row | None,
    runs: Number | None,
    period: Period | None,
    behind: Behind,
    *,
    shows_both: bool,
) -> tiles.Tile:
    is_told = before is not None and number(before["value"]) is not None
    return tiles.Tile(
        label=_SHORT.get(str(now["measure"]), str(now["label"])),
        shown=shown(now),
        behind=behind,
        basis=basis(now) or _beside(now, runs, period),
        change=_change(now, before) if _is_of_equal_days(now, period) else "",
        against=_against(before) if before is not None and is_told and shows_both else "",
        meaning=str(now["definition"]),
        is_small=bool(now["is_small"]) and now["kind"] in ("share", "quotient", "percentile"),
        good=_BETTER.get(str(now["measure"]), "neither") if _is_clear(now, before) else "neither",
    )


def _beside(now: Row, runs: Number | None, period: Period | None) -> str:
    """What stands beside an amount without a basis of its own: runs per day, runs with a known cost."""
    if now["measure"] == "runs" and runs and period:
        per_day = round(float(runs) / period.days)
        return f"{labels.count(per_day)} a day" if per_day else ""
    if now["measure"] == "cost_usd" and runs:
        return f"known for {labels.fraction(number(now['denominator']), runs)} runs"
    return ""


def _is_clear(now: Row, before: Row | None) -> bool:
    """True when a change is more than noise: intervals apart for shares, else at least 5 %."""
    if before is None:
        return False
    if now["kind"] == "share":
        ends = [number(row[end]) for row in (now, before) for end in ("low", "high")]
        low, high, low_before, high_before = ends
        if low is None or high is None or low_before is None or high_before is None:
            return False
        return low > high_before or high < low_before
    one, other = number(now["value"]), number(before["value"])
    return bool(one is not None and other and abs(float(one) - float(other)) >= _CLEAR * abs(float(other)))


def _change(now: Row, before: Row | None) -> str:
    if before is None or now["measure"] == "budget_utilisation":
        return ""
    one, other = number(now["value"]), number(before["value"])
    if one is None or other is None:
        return ""
    return labels.points(float(one) - float(other)) if now["unit"] == "share" else labels.change(one, other)


def _against(before: Row) -> str:
    """The number compared with, and what it rests on."""
    return " · ".join(part for part in (f"against {shown(before)}", basis(before)) if part)


def _is_of_equal_days(now: Row, period: Period | None) -> bool:
    """False for an amount that only adds up when the two periods have not as many days."""
    return now["kind"] not in _SUMS or period is None or period.days == period.before.days


def _obstacle(page: Page, period: Period | None) -> str:
    """Why nothing is compared, in words; empty when it is: both periods lie within the history, apart."""
    runs = page.run_days()
    if period is None or runs is None:
        return "nothing to compare with"
    if period.is_overlapping:
        return f"{period.before.words} overlaps with it, so no change is shown"
    if runs[0] <= period.before.first_date:
        return ""
    return (
        "no whole period before to compare with"
        if period.against is None
        else f"{period.before.words} is not whole: the first run is of {runs[0]:%-d %b %Y}"
    )


def _reading(period: Period | None, obstacle: str) -> str:
    """How to read the tiles: which days, compared with which, and what the ranges are."""
    ranges = (
        f"ranges: 95{labels.NBSP}% intervals · better, worse: beyond them, or by "
        f"{labels.share(_CLEAR, 0)} for amounts"
    )
    if period is None:
        return f"All time · {ranges}"
    if obstacle:
        return f"{period.words}, {obstacle} · ranges: 95{labels.NBSP}% intervals"
    days, other = period.days, period.before.days
    sums = "" if days == other else f" · counts and sums of {days} and {other} days have no change"
    return f"{period.words} against {period.before.words}{sums} · {ranges}"


def _compared(period: Period | None) -> dict[str, Filter]:
    """The days to compare with, where they were chosen."""
    if period is None or period.against is None:
        return {}
    return {
        "compared_first_date": period.against.first_date,
        "compared_last_date": period.against.last_date,
    }


def _days(period: Period | None) -> dict[str, Filter]:
    return {"first_date": period.first_date, "last_date": period.last_date} if period else {}


def number(cell: object) -> Number | None:
    """A cell as a number; None when it holds none."""
    return cell if isinstance(cell, int | float | Decimal) else None
