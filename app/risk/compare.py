"""Findings from numbers: what a run or a day is beside what its agent usually is."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from app.labels import plural
from app.risk.rules import Anomaly, Rules
from runner.control.risk_findings import RiskFinding

_SIGMA = 1.4826  # of a normal distribution, over its median absolute deviation
_NAMED = 20
_LEAST_SPREAD = 0.05  # of the median: an agent that always costs the same would have a spread of nothing


def robust_score(x: float, median: float, mad: float) -> float:
    """How many robust standard deviations ``x`` lies above the median; infinite over a usual 0."""
    spread = max(_SIGMA * mad, _LEAST_SPREAD * abs(median))
    if spread == 0:
        return math.inf if x > median else 0.0
    return (x - median) / spread


def is_unusual(x: float, median: float, mad: float, rules: Anomaly, at_least: float) -> bool:
    """Whether ``x`` is far above what is usual: by its score, by its ratio, and not too small to matter."""
    return x >= at_least and x > rules.times_median * median and robust_score(x, median, mad) > rules.scores


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """One number of a run: its column, the prefix of its usual, the least that counts, and how it is said."""

    kind: str
    column: str
    usual: str
    at_least: float
    said: str


def unusual_runs(runs: pl.DataFrame, rules: Rules) -> Iterator[RiskFinding]:
    """Runs far above the agent's usual: one finding per agent and day for cost and time, one per runaway."""
    limits = rules.anomaly
    cost = _Measure(
        kind="cost_anomaly",
        column="cost_usd",
        usual="cost",
        at_least=limits.cost_at_least_usd,
        said="up to {x:,.4f} USD each; half of {n} runs in the {days} days before cost at most {m:,.4f}",
    )
    latency = _Measure(
        kind="latency_anomaly",
        column="latency_ms",
        usual="latency",
        at_least=limits.latency_at_least_ms,
        said="up to {x:,.0f} ms each; half of {n} runs in the {days} days before took at most {m:,.0f}",
    )
    for measure in (cost, latency):
        yield from _anomalies(runs, measure, rules)
    yield from _runaways(runs, rules)


def _anomalies(runs: pl.DataFrame, measure: _Measure, rules: Rules) -> Iterator[RiskFinding]:
    x, usual = pl.col(measure.column), measure.usual
    high = runs.filter((x >= measure.at_least) & (pl.col(f"{usual}_runs") >= rules.history.min_runs))
    by_day: dict[tuple[str, dt.date], list[dict[str, Any]]] = defaultdict(list)
    for row in high.iter_rows(named=True):
        median, mad = row[f"{usual}_median"], row[f"{usual}_mad"]
        if is_unusual(row[measure.column], median, mad, rules.anomaly, measure.at_least):
            by_day[row["agent_id"], row["run_date"]].append(row)
    for (agent_id, day), ones in by_day.items():
        worst = max(ones, key=lambda row: row[measure.column])
        told = measure.said.format(
            x=worst[measure.column],
            n=worst[f"{usual}_runs"],
            days=rules.history.days,
            m=worst[f"{usual}_median"],
        )
        yield RiskFinding(
            finding_id=f"{measure.kind} runs {agent_id} {day}",
            risk_kind=measure.kind,
            severity="medium",
            agent_id=agent_id,
            team_id=worst["team_id"],
            run_id=worst["run_id"],
            person_id=None,
            reason=f"{plural(len(ones), 'run')} on {day}, {told}",
            evidence=tuple(row["run_id"] for row in ones[:_NAMED]),
        )


def _runaways(runs: pl.DataFrame, rules: Rules) -> Iterator[RiskFinding]:
    bounds = rules.runaway_tools
    many = runs.filter(
        (pl.col("tool_calls") >= bounds.at_least)
        & (pl.col("tool_calls") > bounds.times_usual * pl.col("calls_median"))
    )
    for row in many.iter_rows(named=True):
        told = f"made {row['tool_calls']} tool calls; the agent usually makes {row['calls_median']:g}"
        yield RiskFinding(
            finding_id=f"runaway_tools {row['run_id']}",
            risk_kind="runaway_tools",
            severity="high",
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            run_id=row["run_id"],
            person_id=None,
            reason=told,
            evidence=(row["run_id"],),
        )


def unusual_days(days: pl.DataFrame, rules: Rules) -> Iterator[RiskFinding]:
    """Days on which an agent cost far more than on the same weekday before."""
    for row in days.iter_rows(named=True):
        x, median, mad = row["cost_usd"], row["cost_median"], row["cost_mad"]
        if is_unusual(x, median, mad, rules.anomaly, rules.anomaly.day_cost_at_least_usd):
            day = row["run_date"]
            yield RiskFinding(
                finding_id=f"cost_anomaly day {row['agent_id']} {day}",
                risk_kind="cost_anomaly",
                severity="medium",
                agent_id=row["agent_id"],
                team_id=row["team_id"],
                run_id=None,
                person_id=None,
                reason=f"{row['runs']} runs cost {x:,.2f} USD on {day:%A} {day}; half of the "
                f"{row['days_known']} {day:%A}s before cost at most {median:,.2f}",
                evidence=(f"{row['agent_id']} {day}",),
            )
