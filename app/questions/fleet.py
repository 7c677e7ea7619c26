"""Questions about the fleet: number tiles with their comparison, and series by day."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from app.errors import QuestionError
from app.questions.asking import COMPARED, Ask, Metric, Question
from app.questions.marts import MARTS
from app.questions.rates import wilson

TILE_METRICS = (
    "runs",
    "success_rate",
    "cost_usd",
    "cost_per_run",
    "cost_per_success",
    "machine_p50_ms",
    "machine_p95_ms",
    "tool_error_rate",
    "approval_rate",
    "budget_utilisation",
    "unknown_cost_share",
    "interventions",
    "refusals",
)
SERIES_COLUMNS: Mapping[str, str] = {
    "team": "team_id",
    "agent": "agent_id",
    "model": "model_name",
    "fleet": "'fleet'",
}
_DIVIDED = ("share", "quotient")


def is_per_agent(ask: Ask) -> bool:
    """True when figures of single agents are asked: delegated runs count, and each run at its own cost."""
    return "agent_id" in ask.filters or ask.text("by") == "agent"


def rows_of(metric: Metric, ask: Ask) -> str:
    """Condition on the rows of ``metric.fact`` behind the number."""
    fleet_rule = "" if is_per_agent(ask) else metric.fleet_rule
    own = [f"({condition})" for condition in (metric.population, fleet_rule) if condition]
    agent = MARTS[metric.fact].agent
    return ask.where(metric.date_column, equals={"agent_id": agent}, also=" and ".join(own))


def expressions(metric: Metric, ask: Ask) -> tuple[str, str]:
    """Numerator and denominator of ``metric`` for this asking."""
    if is_per_agent(ask):
        return metric.agent_numerator or metric.numerator, metric.agent_denominator or metric.denominator
    return metric.numerator, metric.denominator


def metric_named(name: str, ask: Ask) -> Metric:
    """The metric ``name``. Raises QuestionError when the generation has none of that name."""
    try:
        return ask.metrics[name]
    except KeyError:
        raise QuestionError(
            f"Unknown measure {name!r}: this generation has {', '.join(ask.metrics)}. "
            "Correct the name, or run `fleetbook build` after an update."
        ) from None


def _tiles(ask: Ask) -> str:
    wanted = ask.filters.get("measures") or TILE_METRICS
    names = (
        (wanted,) if isinstance(wanted, str) else tuple(wanted) if isinstance(wanted, tuple | list) else ()
    )
    asks = [("current", ask)]
    earlier = ask.before()
    if earlier is not None:
        asks.append(("previous", earlier))
    return "\nunion all\n".join(
        _tile(metric_named(name, ask), asked, period, place)
        for place, name in enumerate(names)
        for period, asked in asks
    )


def _tile(metric: Metric, ask: Ask, period: str, place: int) -> str:
    numerator, denominator = expressions(metric, ask)
    return (
        f"select {place} as place, '{metric.metric_id}' as measure, '{period}' as period,\n"
        f"    cast({numerator} as double) as numerator,\n"
        f"    cast({denominator} as double) as denominator\n"
        f"from {metric.fact}\n"
        f"where {rows_of(metric, ask)}"
    )


def made_by(metric: Metric, ask: Ask) -> str:
    """The SQL aggregate that makes the number of ``metric`` of the rows behind it."""
    numerator, denominator = expressions(metric, ask)
    return f"({numerator}) / nullif({denominator}, 0)" if metric.kind in _DIVIDED else numerator


def tile_frame(frame: pl.DataFrame, ask: Ask) -> pl.DataFrame:
    """The tiles with value, interval, and how each is to be read.

    One row per measure and period: measure, period, numerator, denominator (n), value, low, high (Wilson
    95 %, shares only), is_small (n under the measure's minimum), label, unit, format, kind, definition,
    made_by (the aggregate that gives the value over the rows behind it).
    """
    about = pl.DataFrame(
        [
            {
                "measure": metric.metric_id,
                "label": metric.label,
                "unit": metric.unit,
                "format": metric.format,
                "kind": metric.kind,
                "minimum_count": metric.minimum_count,
                "definition": metric.definition,
                "made_by": made_by(metric, ask),
            }
            for metric in ask.metrics.values()
        ]
    )
    k, n = pl.col("numerator"), pl.col("denominator")
    low, high = wilson(k, n)
    divided, is_share = pl.col("kind").is_in(_DIVIDED), pl.col("kind") == "share"
    return (
        frame.join(about, on="measure", how="left")
        .with_columns(
            value=pl.when(~divided).then(k).when(n > 0).then(k / n),
            low=pl.when(is_share).then(low),
            high=pl.when(is_share).then(high),
            is_small=~pl.col("kind").is_in(("count", "sum")) & (n < pl.col("minimum_count")).fill_null(True),
        )
        .sort("place", "period")
        .drop("place", "minimum_count")
    )


def _series(ask: Ask) -> str:
    by = ask.text("by", "fleet")
    if by not in SERIES_COLUMNS:
        raise QuestionError(f"Series by {by!r} does not exist. Ask by {', '.join(SERIES_COLUMNS)}.")
    return _series_from_facts(ask, by)


def _series_from_facts(ask: Ask, by: str) -> str:
    series = SERIES_COLUMNS[by]
    per_agent = is_per_agent(ask)
    cost = "cost_usd" if per_agent else "total_cost_usd"
    fleet_rule = "" if per_agent else " and not is_delegated"
    models = "inner join models using (run_id)" if by == "model" else ""
    return f"""
with models as (
    select run_id, model_name from fct_runs
),
run_days as (
    select run_date, {series} as series, count(*) as runs,
        count(*) filter (where is_success) as successes,
        count(*) filter (where outcome = 'clean') as clean,
        count(*) filter (where outcome = 'intervened') as intervened,
        count(*) filter (where outcome = 'failed') as failed,
        count(*) filter (where outcome = 'cancelled') as cancelled,
        sum({cost}) as cost_usd
    from fct_runs
    where {ask.where("run_date", also="is_terminal" + fleet_rule)}
    group by all
),
call_days as (
    select call_date as run_date, {series} as series, count(*) as tool_calls,
        count(*) filter (where is_error) as tool_errors
    from fct_tool_calls {models}
    where {ask.where("call_date", also="called_by = 'agent' and is_executed")}
    group by all
),
decision_days as (
    select decision_date as run_date, {series} as series, count(*) as decisions,
        count(*) filter (where decision in ('approved', 'approved_changed')) as approvals_yes
    from fct_approvals {models}
    where {ask.where("decision_date", also="is_rated")}
    group by all
)
select run_date, series,
    coalesce(runs, 0) as runs, coalesce(successes, 0) as successes, coalesce(clean, 0) as clean,
    coalesce(intervened, 0) as intervened, coalesce(failed, 0) as failed, coalesce(cancelled, 0) as cancelled,
    cost_usd, coalesce(tool_calls, 0) as tool_calls, coalesce(tool_errors, 0) as tool_errors,
    coalesce(decisions, 0) as decisions, coalesce(approvals_yes, 0) as approvals_yes
from run_days
full outer join call_days using (run_date, series)
full outer join decision_days using (run_date, series)
order by run_date, series nulls last
"""


QUESTIONS = (
    Question(
        name="tiles",
        meaning="Each measure for the period and for the days it is compared with.",
        write=_tiles,
        takes={"measures": tuple, **COMPARED},
    ),
    Question(
        name="series",
        meaning="Numerators and denominators per day and team, agent or model; add them up, then divide.",
        write=_series,
        takes={"by": str},
    ),
)
