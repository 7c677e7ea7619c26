-- Would have caught: rows lost where team or agent is null, or counted twice by the joins of the report.
with

reported as (
    select
        is_demo,
        sum(runs) as runs,
        sum(successes) as successes,
        sum(runs_cost_exact + runs_cost_floor + runs_cost_unknown) as costed_runs,
        sum(tool_calls_executed) as calls,
        sum(tool_errors) as errors,
        sum(decisions) as decisions,
        coalesce(sum(cost_usd), 0) as cost_usd
    from {{ ref('rpt_agent_days') }}
    group by is_demo
),

populations as (
    select distinct is_demo from {{ ref('fct_runs') }}
),

counted as (
    select
        populations.is_demo,
        (select count(*) from {{ ref('fct_runs') }} as runs where runs.is_terminal and runs.is_demo = populations.is_demo) as runs,
        (select count(*) from {{ ref('fct_runs') }} as runs where runs.is_success and runs.is_demo = populations.is_demo) as successes,
        (
            select count(*) from {{ ref('fct_tool_calls') }} as calls
            where calls.called_by = 'agent' and calls.is_executed and calls.is_demo = populations.is_demo
        ) as calls,
        (
            select count(*) from {{ ref('fct_tool_calls') }} as calls
            where calls.called_by = 'agent' and calls.is_error and calls.is_demo = populations.is_demo
        ) as errors,
        (
            select count(*) from {{ ref('fct_approvals') }} as approvals
            where approvals.is_rated and approvals.is_demo = populations.is_demo
        ) as decisions,
        (
            select coalesce(sum(runs.cost_usd), 0) from {{ ref('fct_runs') }} as runs
            where runs.is_terminal and runs.is_demo = populations.is_demo
        ) as cost_usd
    from populations
)

select *
from counted
left join reported on reported.is_demo = counted.is_demo
where
    coalesce(reported.runs, 0) <> counted.runs
    or coalesce(reported.costed_runs, 0) <> counted.runs
    or coalesce(reported.successes, 0) <> counted.successes
    or coalesce(reported.calls, 0) <> counted.calls
    or coalesce(reported.errors, 0) <> counted.errors
    or coalesce(reported.decisions, 0) <> counted.decisions
    or coalesce(reported.cost_usd, 0) <> counted.cost_usd
