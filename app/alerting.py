"""Alerts measured: each alert of the registry over the current generation, for every target it names.

The figure, its history and its n come from the same metrics as the tiles. What follows from a reading
(raise, go on, end) is :mod:`runner.control.alerts`' business.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from app import labels
from app.questions.asking import Metric
from app.warehouse import Scope, Scoped, Warehouse
from runner.control.alerts import Finding, Followed, State, follow
from runner.control.core import Core
from runner.control.registry import Registry
from runner.control.registry_extras import Alert

Verdict: TypeAlias = Literal["true", "false", "no_data", "wrong"]

_EVERYTHING = Scope(person_id="", role_id="", team_ids=None, own_only=False)
_MICRO = Decimal(10**6)
_MAX = 2**53 - 1  # what an event's integers hold
# A month's speed says nothing on its first days: one big day would be ten times the budget.
_FORECAST_DAYS = 3
_COUNTED = ("count", "sum")
"""Kinds of metrics that are 0, and not unknown, where nothing happened."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A metric over some days: its value in its unit and n; no value is no data."""

    value: Decimal | None
    n: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One alert for one target: what was found, in which days, against what, and the sentence of it."""

    alert: Alert
    target: str
    team_id: str | None
    agent_id: str | None
    verdict: Verdict
    observed: Decimal | None
    bound: Decimal
    first_date: dt.date
    last_date: dt.date
    sentence: str

    def finding(self) -> Finding:
        """For the control store. An alert that cannot be measured at all is told as what it is."""
        state: State = "true" if self.verdict == "wrong" else self.verdict
        return Finding(
            alert=self.alert,
            target=self.target,
            team_id=self.team_id,
            agent_id=self.agent_id,
            state=state,
            title=self.sentence,
            observed_micro=_micro(self.observed),
            bound_micro=_micro(self.bound),
        )


def evaluate(control: Core, warehouse: Warehouse, now: dt.datetime) -> Followed:
    """Measure every alert of the applied registry, and raise or end what follows from it.

    Without alerts and without open incidents nothing is read. Raises RegistryNotApplied, WarehouseError.
    """
    registry = control.registry()
    readings = list(measure(warehouse, registry, now, is_demo=control.workspace.is_demo))
    return follow(control, [one.finding() for one in readings])


def measure(
    warehouse: Warehouse, registry: Registry, now: dt.datetime, *, is_demo: bool
) -> Iterator[Reading]:
    """Each alert for each of its targets at ``now``. Raises WarehouseError."""
    if not registry.alerts:
        return
    gauge = _Gauge(warehouse, registry, now, is_demo=is_demo)
    for alert in registry.alerts:
        for target in _targets(alert, registry):
            yield gauge.read(alert, *target)


def _targets(alert: Alert, registry: Registry) -> Iterator[tuple[str, str | None, str | None]]:
    """Name, team and agent of each target of ``alert``."""
    if alert.agent is not None or alert.each == "agent":
        for agent_id in [alert.agent] if alert.agent else registry.agents:
            yield f"agent:{agent_id}", registry.agents[agent_id].team, agent_id
    elif alert.team is not None or alert.each == "team":
        for team_id in [alert.team] if alert.team else registry.teams:
            yield f"team:{team_id}", team_id, None
    else:
        yield "fleet", None, None


class _Gauge:
    """Reads figures of one generation for one moment."""

    def __init__(self, warehouse: Warehouse, registry: Registry, now: dt.datetime, *, is_demo: bool) -> None:
        zone = ZoneInfo(registry.company.time_zone)
        self._scoped: Scoped = warehouse.for_person(_EVERYTHING)
        self._metrics = warehouse.metrics()
        self._is_demo = is_demo
        self._now = now
        self._zone = zone
        self._today = now.astimezone(zone).date()
        days = warehouse.fetch(
            "select min(calendar_date) as first, max(calendar_date) as last from main.dim_dates "
            "where is_demo = $is_demo",
            {"is_demo": is_demo},
        ).row(0, named=True)
        self._first_day: dt.date | None = days["first"]
        self._last_day: dt.date | None = days["last"]

    def read(self, alert: Alert, target: str, team_id: str | None, agent_id: str | None) -> Reading:
        """The reading of ``alert`` for one target."""
        last = self._today if alert.through == "today" else self._today - dt.timedelta(days=1)
        first = last - dt.timedelta(days=alert.days - 1)
        metric = self._metrics.get(alert.metric)
        about = _Subject(
            alert=alert, target=target, team_id=team_id, agent_id=agent_id, first=first, last=last
        )
        if metric is None:
            near = difflib.get_close_matches(alert.metric, self._metrics, n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            return about.reading("wrong", None, f"there is no metric {alert.metric}{hint}")
        if alert.condition == "forecast_above":
            return self._forecast(about, metric)
        if alert.condition.startswith("change"):
            return self._change(about, metric)
        figure = self._figure(about, metric, first, last)
        words = _words(metric)
        if figure.value is None:
            return about.reading("no_data", None, f"{metric.label}: no data{_too_few(figure, metric, alert)}")
        is_true = figure.value > alert.bound if alert.above is not None else figure.value < alert.bound
        side = "above" if alert.above is not None else "below"
        told = words(float(figure.value))
        sentence = (
            f"{metric.label} is {told}, {side if is_true else f'not {side}'} {words(float(alert.bound))}"
        )
        return about.reading("true" if is_true else "false", figure.value, sentence)

    def _figure(self, about: _Subject, metric: Metric, first: dt.date, last: dt.date) -> Figure:
        """The metric over these days; no value under the smallest n, or where no data reaches them."""
        if self._last_day is None or self._last_day < first:
            return Figure(value=None, n=None)
        rows = self._scoped.query(
            "tiles",
            is_demo=self._is_demo,
            measures=(metric.metric_id,),
            first_date=first,
            last_date=last,
            **about.scope,
        )
        row = rows.filter(rows["period"] == "current").row(0, named=True)
        n = None if row["denominator"] is None else Decimal(str(row["denominator"]))
        least = Decimal(about.alert.least or metric.minimum_count)
        is_small = metric.kind not in _COUNTED and (n is None or n < least)
        if row["value"] is None or is_small:
            return Figure(value=None, n=n)
        return Figure(value=Decimal(str(row["value"])), n=n)

    def _change(self, about: _Subject, metric: Metric) -> Reading:
        alert = about.alert
        since = about.first - dt.timedelta(days=alert.days * alert.history)
        figure = self._figure(about, metric, about.first, about.last)
        usual = self._figure(about, metric, since, about.first - dt.timedelta(days=1)).value
        if usual is not None and metric.kind in _COUNTED:
            usual /= alert.history
        is_young = self._first_day is None or self._first_day > since
        if figure.value is None or is_young or not usual:
            why = (
                f", nothing to compare with since {since}"
                if figure.value is not None
                else _too_few(figure, metric, alert)
            )
            return about.reading("no_data", None, f"{metric.label}: no data{why}")
        change = figure.value / usual - 1
        is_true = change > alert.bound if alert.change_above is not None else change < alert.bound
        words = _words(metric)
        moved = round(float(change), 2) + 0.0  # no minus before a zero
        sentence = (
            f"{metric.label} is {words(float(figure.value))}, {moved:+.0%} against its own "
            f"{words(float(usual))} since {since}"
        )
        return about.reading("true" if is_true else "false", change, sentence)

    def _forecast(self, about: _Subject, metric: Metric) -> Reading:
        """Spend of the month at its speed so far, as a share of the caps of the target's month wallets."""
        rows = self._scoped.query(
            "wallets",
            is_demo=self._is_demo,
            wallet_kind="agent" if about.agent_id else "team",
            on_date=self._today,
            **about.scope,
        )
        months = [
            row
            for row in rows.iter_rows(named=True)
            if row["wallet_window"] == "month" and row["cap_usd"] is not None
        ]
        cap = sum((row["cap_usd"] for row in months), Decimal(0))
        if not cap:
            return about.reading("no_data", None, "Budget forecast: no month wallet with a cap to spend")
        start = min(row["window_start_at"] for row in months)
        end = max(row["window_end_at"] for row in months)
        if self._now - start < dt.timedelta(days=_FORECAST_DAYS):
            why = f"the month is under {_FORECAST_DAYS} days old"
            return about.reading("no_data", None, f"Budget forecast: {why}")
        spent = sum((row["spent_usd"] for row in months), Decimal(0))
        projected = spent / Decimal(str((self._now - start) / (end - start)))
        sentence = (
            f"{metric.label} of the month will be {labels.money(float(projected))} at this speed, "
            f"{float(projected / cap):.0%} of the budget of {labels.money(float(cap))}"
        )
        is_true = projected / cap > about.alert.bound
        return about.reading("true" if is_true else "false", projected / cap, sentence)


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """An alert for one target and its days."""

    alert: Alert
    target: str
    team_id: str | None
    agent_id: str | None
    first: dt.date
    last: dt.date

    @property
    def scope(self) -> dict[str, str]:
        """The filter of a question that narrows it to the target."""
        if self.agent_id is not None:
            return {"agent_id": self.agent_id}
        return {} if self.team_id is None else {"team_id": self.team_id}

    def reading(self, verdict: Verdict, observed: Decimal | None, said: str) -> Reading:
        """The reading with a whole sentence: whose figure, what, when."""
        kind, _, name = self.target.partition(":")
        who = f"{kind.title()} {name}" if name else "The fleet"
        is_budget = self.alert.condition == "forecast_above" or verdict == "wrong"
        days = "" if is_budget else f" ({_days(self.first, self.last)})"
        return Reading(
            alert=self.alert,
            target=self.target,
            team_id=self.team_id,
            agent_id=self.agent_id,
            verdict=verdict,
            observed=observed,
            bound=self.alert.bound,
            first_date=self.first,
            last_date=self.last,
            sentence=" ".join(f"{who}: {said}{days}.".split()),  # the labels' narrow spaces are for pages
        )


def _days(first: dt.date, last: dt.date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _too_few(figure: Figure, metric: Metric, alert: Alert) -> str:
    if metric.kind in _COUNTED or figure.n is None:
        return ""
    return f", n = {figure.n:.0f} of at least {alert.least or metric.minimum_count}"


def _words(metric: Metric) -> Callable[[float], str]:
    """How the metric's numbers are written."""
    if metric.format == "percent":
        return labels.share
    return {"money": labels.money, "duration": labels.duration}.get(metric.format, labels.count)


def _micro(number: Decimal | None) -> int | None:
    if number is None:
        return None
    micro = int((number * _MICRO).to_integral_value(ROUND_HALF_EVEN))
    return max(-_MAX, min(_MAX, micro))
