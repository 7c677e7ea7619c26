{# Each own run that started: no wallet that pays for it was used up by what had been charged before. #}
with

charges as (
    select * from {{ ref('fct_wallet_windows') }}
    where wallet_window = 'month' and not is_unlimited and cap_usd is not null
),

runs as (
    select
        runs.is_demo,
        runs.month_start_date,
        runs.run_id,
        runs.agent_id,
        found.paying_team_id as team_id,
        runs.actor_id,
        runs.requested_at,
        coalesce(fct.cost_usd, 0) as cost_usd
    from {{ ref('int_check_runs') }} as runs
    inner join {{ ref('int_runs_found') }} as found on found.run_id = runs.run_id
    inner join {{ ref('fct_runs') }} as fct on fct.run_id = runs.run_id
),

-- spent in the month by runs of the same team that were asked for earlier
spent as (
    select
        *,
        sum(cost_usd) over (
            partition by is_demo, team_id, month_start_date
            order by requested_at nulls last, run_id
            rows between unbounded preceding and 1 preceding
        ) as spent_before_usd
    from runs
),

judged as (
    select
        spent.is_demo,
        spent.month_start_date,
        spent.run_id,
        spent.agent_id,
        spent.team_id,
        spent.actor_id,
        charges.wallet_id,
        coalesce(spent.spent_before_usd, 0) >= charges.cap_usd and spent.cost_usd > 0 as is_over
    from spent
    inner join charges
        on
            charges.wallet_kind = 'team'
            and charges.owner_id = spent.team_id
            and charges.is_demo = spent.is_demo
            and charges.window_start_date = spent.month_start_date
)

select
{{ check_row(
    month='month_start_date', kind='run', object='run_id',
    violation='is_over',
    detail="'started although ' || wallet_id || ' was used up'",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from judged
