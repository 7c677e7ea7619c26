"""A team's window by day: what was spent so far, its cap, and a forecast band to the window's end."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import streamlit as st

from app import charts
from app.labels import md_escape, money
from app.live.money import Balance
from app.views._parts import behind
from app.views._parts.page import Filter, Page, empty

BACK_DAYS = 28
"""Days before today that the forecast looks at: four of each day of the week."""
_LEAST = 4
_Z80 = 1.2816  # standard normal quantile of 90 %: a two-sided band of 80 %


class Ahead(NamedTuple):
    """What may have been spent by the end of a day: the middle of the band and its ends, in USD."""

    middle: float
    low: float
    high: float


def ahead(spent: float, by_day: Mapping[dt.date, float], last: dt.date, end: dt.date) -> dict[dt.date, Ahead]:
    """Spent so far plus what each day to ``end`` (not included) is likely to take, added up.

    A working day is like the working days of ``by_day``, a weekend's like its weekends', each independent:
    means and variances add up, the band holds 80 %. Empty with fewer than four days of a kind to go by.
    """
    kinds: dict[bool, list[float]] = {False: [], True: []}
    for day, amount in by_day.items():
        kinds[day.weekday() >= 5].append(amount)
    if min(len(amounts) for amounts in kinds.values()) < _LEAST:
        return {}
    means = {kind: statistics.fmean(amounts) for kind, amounts in kinds.items()}
    spreads = {kind: statistics.variance(amounts) for kind, amounts in kinds.items()}
    found, middle, variance = {last: Ahead(spent, spent, spent)}, spent, 0.0
    for day in _days(last + dt.timedelta(days=1), end):
        middle += means[day.weekday() >= 5]
        variance += spreads[day.weekday() >= 5]
        wide = _Z80 * math.sqrt(variance)
        found[day] = Ahead(middle, max(middle - wide, spent), middle + wide)
    return found


def _days(first: dt.date, end: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=n) for n in range((end - first).days)]


def show_burn(page: Page, team: str, own: Balance | None, first: dt.date, last: dt.date) -> None:
    """The chart; the forecast is there where the wallet's window goes on and there are days to go by."""
    cut: dict[str, Filter] = {"by": "team", "grain": "day", "team_id": team, "last_date": last}
    back = min(first, last - dt.timedelta(days=BACK_DAYS))
    known = _by_day(page, {**cut, "first_date": back})
    if last < first or not any(day >= first for day in known):
        empty("No charge of this team in this window yet.")
        return
    end = own.window_end.astimezone(page.zone).date() if own and own.window == "month" else last
    window = _days(first, max(end, last + dt.timedelta(days=1)))
    spent = _added_up(window, known, last)
    series = [charts.Series(name="spent so far", colour=page.team_colours.get(team, ""), amounts=spent)]
    if own and own.cap_usd is not None:
        cap: list[float | None] = [float(own.cap_usd)] * len(window)
        series.append(charts.Series(name="cap", colour=page.colours.bad, amounts=cap))
    full = {day: known.get(day, 0.0) for day in _days(last - dt.timedelta(days=BACK_DAYS), last)}
    so_far = sum(amount for day, amount in known.items() if day >= first)
    forecast = ahead(so_far, full, last, end) if end > last else {}
    figure = charts.lines(window, series, page.colours, tick=",.0f", hover=",.2f", unit=" USD")
    if forecast:
        ends = [(day, one.low, one.high) for day, one in forecast.items()]
        charts.add_band(figure, ends, "forecast, 80 %", page.team_colours.get(team, page.colours.off))
    source = behind.question(
        page, "burn", "Spent so far by day", "spend_over_time", {**cut, "first_date": first}
    )
    behind.chart(source, figure, caption=_told(page, team, own, first, forecast))
    if own and own.cap_usd is not None and forecast:
        st.caption(_will_it_last(float(own.cap_usd), forecast))


def _by_day(page: Page, cut: Mapping[str, Filter]) -> dict[dt.date, float]:
    rows = page.ask("spend_over_time", **cut)
    return {row["first_date"]: float(row["cost_usd"] or 0) for row in rows.iter_rows(named=True)}


def _added_up(window: Sequence[dt.date], known: Mapping[dt.date, float], last: dt.date) -> list[float | None]:
    total, found = 0.0, list[float | None]()
    for day in window:
        total += known.get(day, 0.0)
        found.append(total if day <= last else None)
    return found


def _told(
    page: Page, team: str, own: Balance | None, first: dt.date, forecast: Mapping[dt.date, Ahead]
) -> str:
    so_far = f"{md_escape(page.team(team))}: charges of the build by day, added up, {first:%-d %b} on."
    if not forecast:
        return f"{so_far} No forecast: its window has no end ahead, or too few days to go by."
    last = forecast[max(forecast)]
    band = f"{money(round(last.low, 2))} to {money(round(last.high, 2))}"
    return (
        f"{so_far} By the window's end {band} at an 80 % chance, if the days ahead are like the "
        f"{BACK_DAYS} before."
    )


def _will_it_last(cap: float, forecast: Mapping[dt.date, Ahead]) -> str:
    """From which day on the cap may be reached, at the earliest and in the middle."""
    early = next((day for day, one in forecast.items() if one.high >= cap), None)
    middle = next((day for day, one in forecast.items() if one.middle >= cap), None)
    if early is None:
        return "It lasts: the upper end of the band stays under the cap."
    likely = f"most likely about {middle:%-d %b}" if middle else "more likely not in this window"
    return f"The cap may be reached from {early:%-d %b} on, {likely}."
