{# Each high-risk agent that ran: a stop drill in the last 90 days; each run that was stopped: halted in time; each that a stop named: ended. #}
with

versions as (
    select distinct
        versions.is_demo,
        versions.month_start_date,
        months.month_end_at,
        versions.agent_id,
        versions.team_id
    from {{ ref('int_check_versions') }} as versions
    inner join {{ ref('int_check_months') }} as months
        on months.month_start_date = versions.month_start_date and months.is_demo = versions.is_demo
    where versions.risk_class = 'high'
),

drills as (
    select * from {{ ref('stg_events__assurance') }}
    where event_type = 'stop_drill'
),

drilled as (
    select
        versions.is_demo,
        versions.month_start_date,
        versions.agent_id,
        versions.team_id,
        cast(null as string) as run_id,
        cast(null as bigint) as halt_ns,
        count(drills.event_id) as drill_count,
        true as is_halted
    from versions
    left join drills
        on
            drills.agent_id = versions.agent_id
            and drills.is_demo = versions.is_demo
            and drills.occurred_at < versions.month_end_at
            and drills.occurred_at >= versions.month_end_at - interval '{{ check_parameter('stop_drill_days') }}' day
    group by versions.is_demo, versions.month_start_date, versions.agent_id, versions.team_id
),

halts as (
    select
        is_demo,
        {{ month_of(local_date('occurred_at')) }} as month_start_date,
        agent_id,
        team_id,
        run_id,
        halt_ns,
        cast(null as bigint) as drill_count,
        true as is_halted
    from {{ ref('int_check_halts') }}
),

-- a stop named the run, the limit was over before the month was, and the run went on
unhalted as (
    select distinct
        runs.is_demo,
        months.month_start_date,
        runs.agent_id,
        runs.team_id,
        runs.run_id,
        cast(null as bigint) as halt_ns,
        cast(null as bigint) as drill_count,
        false as is_halted
    from {{ ref('stg_events__stops') }} as stops
    inner join {{ ref('int_check_runs') }} as runs on runs.run_id = stops.run_id and runs.is_demo = stops.is_demo
    inner join {{ ref('int_check_months') }} as months
        on
            months.is_demo = runs.is_demo
            and months.month_start_date = {{ month_of(local_date('stops.occurred_at')) }}
            and stops.occurred_at < months.month_end_at - interval '{{ check_parameter('stop_limit_s') }}' second
    where stops.event_type = 'stop_ordered' and not runs.is_terminal
),

objects as (
    select * from drilled
    union all
    select * from halts
    union all
    select * from unhalted
)

select
{{ check_row(
    month='month_start_date', kind='stop', object="coalesce(run_id, agent_id)",
    violation='not is_halted or drill_count = 0 or halt_ns > cast(1000000000 as bigint) * ' ~ check_parameter('stop_limit_s'),
    detail="agent_id || case when drill_count = 0 then ' had no stop drill in " ~ check_parameter('stop_drill_days') ~ " days' when not is_halted then ' goes on although it was ordered to stop' else ': a stop took longer than the limit' end",
    agent='agent_id', team='team_id', run='run_id',
) }}
from objects
