{#
  The windows of each wallet, with the cap in force at their end (or at the end of the log).
  A cap stays until it is set again, so every calendar window from the first declaration on has one.
#}
with

wallets as (
    select * from {{ ref('int_wallets_declared') }}
),

cap_events as (
    select
        *,
        coalesce(window_start_at, occurred_at) as effective_from_at
    from {{ ref('stg_events__wallets') }}
    where event_type in ('budget_set', 'budget_raised')
),

days as (
    select charge_date as day_date, is_demo from {{ ref('fct_charges') }}
    union
    select {{ local_date('data_until') }} as day_date, is_demo from wallets
    union
    select {{ local_date('first_declared_at') }} as day_date, is_demo from wallets
),

starts as (
    select distinct
        wallets.wallet_id,
        wallets.is_demo,
        case wallets.wallet_window
            when 'day' then cast(days.day_date as timestamp)
            when 'month' then date_trunc('month', cast(days.day_date as timestamp))
            else cast({{ local_date('wallets.first_declared_at') }} as timestamp)
        end as start_local
    from wallets
    inner join days on days.is_demo = wallets.is_demo
    where
        date_trunc('month', cast(days.day_date as timestamp))
        >= date_trunc('month', {{ local_time('wallets.first_declared_at') }})
),

bounded as (
    select
        wallets.*,
        starts.start_local,
        case wallets.wallet_window
            when 'day' then starts.start_local + interval '1' day
            when 'month' then starts.start_local + interval '1' month
        end as end_local
    from starts
    inner join wallets on wallets.wallet_id = starts.wallet_id and wallets.is_demo = starts.is_demo
),

windows as (
    select
        *,
        {{ instant_of('start_local') }} as window_start_at,
        {{ instant_of('end_local') }} as window_end_at,
        least(coalesce({{ instant_of('end_local') }}, data_until), data_until) as judged_at
    from bounded
)

select
    windows.wallet_id,
    windows.is_demo,
    windows.wallet_kind,
    windows.wallet_window,
    windows.owner_id,
    windows.team_id,
    windows.window_start_at,
    windows.window_end_at,
    cast(windows.start_local as date) as window_start_date,
    cast(windows.end_local as date) as window_end_date,
    cap_events.cap_nano_usd,
    coalesce(cap_events.is_unlimited, false) as is_unlimited
from windows
inner join cap_events
    on
        cap_events.wallet_id = windows.wallet_id
        and (cap_events.is_demo = windows.is_demo or not windows.is_declared_here)
        and (windows.window_end_at is null or cap_events.effective_from_at < windows.window_end_at)
        and (
            cap_events.event_type = 'budget_set'
            -- a raise counts while it is in force
            or (cap_events.occurred_at <= windows.judged_at and cap_events.expires_at > windows.judged_at)
        )
qualify row_number() over (
    partition by windows.wallet_id, windows.is_demo, windows.start_local
    order by
        case when cap_events.event_type = 'budget_raised' then 0 else 1 end,
        cap_events.effective_from_at desc nulls last,
        cap_events.occurred_at desc nulls last,
        cap_events.event_id desc
) = 1
