-- Would have caught: a quarter cut in another time zone than the days, runs without version lost, joins that double.
with

reported as (
    select
        is_demo,
        sum(runs) as runs,
        sum(successes) as successes,
        sum(tool_errors) as errors,
        sum(refusals) as refusals,
        coalesce(sum(cost_usd), 0) as cost_usd
    from {{ ref('rpt_agent_quarters') }}
    group by is_demo
),

by_version as (
    select
        is_demo,
        sum(runs) as runs
    from {{ ref('rpt_version_quarters') }}
    group by is_demo
),

populations as (
    select distinct is_demo from {{ ref('fct_runs') }}
),

counted as (
    select
        populations.is_demo,
        (
            select count(*) from {{ ref('fct_runs') }} as runs
            where runs.is_terminal and runs.agent_id is not null and runs.is_demo = populations.is_demo
        ) as runs,
        (
            select count(*) from {{ ref('fct_runs') }} as runs
            where runs.is_success and runs.agent_id is not null and runs.is_demo = populations.is_demo
        ) as successes,
        (
            select count(*) from {{ ref('fct_tool_calls') }} as calls
            where
                calls.called_by = 'agent' and calls.is_error and calls.agent_id is not null
                and calls.is_demo = populations.is_demo
        ) as errors,
        (
            select count(*) from {{ ref('fct_refusals') }} as refusals
            where refusals.agent_id is not null and refusals.is_demo = populations.is_demo
        ) as refusals,
        (
            select coalesce(sum(runs.cost_usd), 0) from {{ ref('fct_runs') }} as runs
            where runs.is_terminal and runs.agent_id is not null and runs.is_demo = populations.is_demo
        ) as cost_usd
    from populations
)

select *
from counted
left join reported on reported.is_demo = counted.is_demo
left join by_version on by_version.is_demo = counted.is_demo
where
    coalesce(reported.runs, 0) <> counted.runs
    or coalesce(by_version.runs, 0) <> counted.runs
    or coalesce(reported.successes, 0) <> counted.successes
    or coalesce(reported.errors, 0) <> counted.errors
    or coalesce(reported.refusals, 0) <> counted.refusals
    or coalesce(reported.cost_usd, 0) <> counted.cost_usd
