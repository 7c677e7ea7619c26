"""Questions about agents: the catalogue, one agent's versions and tools."""

from __future__ import annotations

import polars as pl

from app.questions.asking import Ask, Question
from app.questions.rates import with_rate

_RUN_FIGURES = """
        count(*) as runs,
        count(*) filter (where is_success) as successes,
        count(*) filter (where outcome = 'clean') as clean,
        count(*) filter (where outcome = 'intervened') as intervened,
        count(*) filter (where outcome = 'failed') as failed,
        count(*) filter (where outcome = 'cancelled') as cancelled,
        sum(cost_usd) as cost_usd,
        count(*) filter (where cost_status = 'exact') as runs_cost_exact,
        sum(cost_usd) filter (where cost_status = 'exact') as exact_cost_usd,
        percentile_cont(0.5) within group (order by cast(machine_ms as double)) as machine_p50_ms,
        percentile_cont(0.95) within group (order by cast(machine_ms as double)) as machine_p95_ms,
        count(machine_ms) as runs_with_machine_ms"""

_CALL_FIGURES = """
        count(*) as tool_calls_executed,
        count(*) filter (where is_error) as tool_errors"""


def _agents(ask: Ask) -> str:
    runs = ask.where("run_date", also="is_terminal")
    calls = ask.where("call_date", also="called_by = 'agent' and is_executed")
    first, last = (
        f"min({ask.bind(name, day)})" if (day := ask.day(name)) else f"{end}(run_date)"
        for name, end in (("first_date", "min"), ("last_date", "max"))
    )
    return f"""
with run_figures as (
    select agent_id,{_RUN_FIGURES}
    from fct_runs
    where {runs}
    group by agent_id
),
call_figures as (
    select agent_id,{_CALL_FIGURES}
    from fct_tool_calls
    where {calls}
    group by agent_id
),
run_days as (
    select agent_id, run_date, count(*) as runs
    from fct_runs
    where {runs}
    group by agent_id, run_date
),
day_range as (
    select cast(day as date) as run_date
    from (select unnest(generate_series({first}, {last}, interval 1 day)) as day from run_days)
),
trends as (
    select agents.agent_id, list(coalesce(run_days.runs, 0) order by day_range.run_date) as runs_per_day
    from (select distinct agent_id from run_days) as agents
    cross join day_range
    left join run_days on run_days.agent_id = agents.agent_id and run_days.run_date = day_range.run_date
    group by agents.agent_id
)
select dim_agents.*, coalesce(run_figures.runs, 0) as runs,
    run_figures.* exclude (agent_id, runs),
    call_figures.* exclude (agent_id),
    trends.runs_per_day
from dim_agents
left join run_figures on run_figures.agent_id = dim_agents.agent_id
left join call_figures on call_figures.agent_id = dim_agents.agent_id
left join trends on trends.agent_id = dim_agents.agent_id
where {ask.where(equals={"agent_id": "dim_agents.agent_id", "team_id": "dim_agents.team_id"})}
order by runs desc, dim_agents.agent_id
"""


def _versions(ask: Ask) -> str:
    return f"""
with run_figures as (
    select agent_id, agent_version,{_RUN_FIGURES},
        min(run_date) as first_run_date,
        max(run_date) as last_run_date
    from fct_runs
    where {ask.where("run_date", also="is_terminal")}
    group by agent_id, agent_version
),
call_figures as (
    select agent_id, agent_version,{_CALL_FIGURES}
    from fct_tool_calls
    where {ask.where("call_date", also="called_by = 'agent' and is_executed")}
    group by agent_id, agent_version
)
select dim_agent_versions.*, coalesce(run_figures.runs, 0) as runs,
    run_figures.* exclude (agent_id, agent_version, runs),
    call_figures.* exclude (agent_id, agent_version)
from dim_agent_versions
left join run_figures using (agent_id, agent_version)
left join call_figures using (agent_id, agent_version)
where {ask.where()}
order by agent_id, agent_version desc
"""


def _tools(ask: Ask) -> str:
    return f"""
with newest as (
    select agent_id, agent_version from dim_agents
),
rules as (
    select dim_agent_tools.agent_id, tool_name, tool_effect, approval_rule, approver_role
    from dim_agent_tools
    inner join newest using (agent_id, agent_version)
    where {ask.where()}
),
calls as (
    select agent_id, tool_name,
        max(tool_effect) as seen_effect,
        count(*) as tool_calls,
        count(*) filter (where is_executed) as tool_calls_executed,
        count(*) filter (where is_error) as tool_errors,
        count(*) filter (where tool_error_class = 'invalid_args') as errors_invalid_args,
        count(*) filter (where tool_error_class = 'upstream') as errors_upstream,
        count(*) filter (where tool_error_class = 'timeout') as errors_timeout,
        count(*) filter (where tool_error_class = 'crash') as errors_crash,
        count(*) filter (where is_error and coalesce(tool_error_class, 'unclassified') = 'unclassified')
            as errors_unclassified,
        count(*) filter (where tool_outcome = 'refused') as refused_count,
        count(*) filter (where tool_outcome = 'denied') as denied_count,
        count(*) filter (where tool_outcome = 'unknown') as unknown_count,
        percentile_cont(0.5) within group (order by cast(duration_ms as double)) as duration_p50_ms,
        percentile_cont(0.95) within group (order by cast(duration_ms as double)) as duration_p95_ms
    from fct_tool_calls
    where {ask.where("call_date", also="called_by = 'agent'")}
    group by agent_id, tool_name
)
select
    agent_id,
    tool_name,
    coalesce(tool_effect, seen_effect) as tool_effect,
    approval_rule,
    approver_role,
    coalesce(tool_calls, 0) as tool_calls,
    calls.* exclude (agent_id, tool_name, seen_effect, tool_calls)
from rules
full outer join calls using (agent_id, tool_name)
order by tool_calls desc, agent_id, tool_name
"""


def _with_rates(frame: pl.DataFrame) -> pl.DataFrame:
    """Success and tool-error rates with their intervals; cost per run and per successful run."""
    rated = with_rate(frame, "success_rate", "successes", "runs")
    rated = with_rate(rated, "tool_error_rate", "tool_errors", "tool_calls_executed")
    exact, successes = pl.col("runs_cost_exact"), pl.col("successes")
    return rated.with_columns(
        cost_per_run_usd=pl.when(exact > 0).then(pl.col("exact_cost_usd").cast(pl.Float64) / exact),
        cost_per_success_usd=pl.when(successes > 0).then(pl.col("cost_usd").cast(pl.Float64) / successes),
        is_small=pl.col("runs") < 20,
    )


def _with_error_rate(frame: pl.DataFrame) -> pl.DataFrame:
    return with_rate(frame, "tool_error_rate", "tool_errors", "tool_calls_executed")


QUESTIONS = (
    Question(
        name="agents",
        meaning="One row per agent, declared or only seen in events, with its figures of the period; "
        "delegated runs count, each at its own cost.",
        write=_agents,
        finish=_with_rates,
    ),
    Question(
        name="versions",
        meaning="One row per declared version with the figures of its runs in the period, newest first.",
        write=_versions,
        finish=_with_rates,
    ),
    Question(
        name="tools",
        meaning="One row per agent and tool: rule of the newest version, calls of the agent, errors by "
        "class, and calls that were refused by policy or denied by a person.",
        write=_tools,
        finish=_with_error_rate,
    ),
)
