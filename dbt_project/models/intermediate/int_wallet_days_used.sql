{# What was spent and is held in each wallet window on each company day: windows begin and end at midnight there. #}
with

windows as (
    select * from {{ ref('int_wallet_windows_opened') }}
),

charge_days as (
    select
        team_id,
        agent_id,
        charge_date as used_date,
        is_demo,
        {{ usd_to_nano('sum(list_cost_usd)') }} as spent_nano_usd,
        {{ usd_to_nano('sum(case when list_cost_usd is null then cost_usd end)') }} as reported_nano_usd,
        count(case when cost_usd is null then 1 end) as unknown_charge_count,
        cast(null as bigint) as held_nano_usd
    from {{ ref('fct_charges') }}
    group by team_id, agent_id, charge_date, is_demo
),

hold_days as (
    select
        runs.paying_team_id as team_id,
        runs.agent_id,
        {{ local_date('turns.requested_at') }} as used_date,
        runs.is_demo,
        cast(null as bigint) as spent_nano_usd,
        cast(null as bigint) as reported_nano_usd,
        0 as unknown_charge_count,
        sum(turns.hold_nano_usd) as held_nano_usd
    from {{ ref('int_turns_paired') }} as turns
    inner join {{ ref('int_runs_found') }} as runs on runs.run_id = turns.run_id
    inner join {{ ref('int_runs_timed') }} as timed on timed.run_id = turns.run_id
    where not turns.is_finished and not turns.is_hold_swept and timed.run_status <> 'ended'
    group by runs.paying_team_id, runs.agent_id, {{ local_date('turns.requested_at') }}, runs.is_demo
),

use_days as (
    select * from charge_days
    union all
    select * from hold_days
)

select
    windows.wallet_id,
    windows.is_demo,
    windows.window_start_date,
    use_days.used_date,
    cast(sum(use_days.spent_nano_usd) as bigint) as spent_nano_usd,
    cast(sum(use_days.reported_nano_usd) as bigint) as reported_nano_usd,
    cast(sum(use_days.held_nano_usd) as bigint) as held_nano_usd,
    cast(sum(use_days.unknown_charge_count) as bigint) as unknown_charge_count
from windows
inner join use_days
    on
        use_days.is_demo = windows.is_demo
        and case windows.wallet_kind when 'team' then use_days.team_id else use_days.agent_id end = windows.owner_id
        and use_days.used_date >= windows.window_start_date
        and (windows.window_end_date is null or use_days.used_date < windows.window_end_date)
group by windows.wallet_id, windows.is_demo, windows.window_start_date, use_days.used_date
