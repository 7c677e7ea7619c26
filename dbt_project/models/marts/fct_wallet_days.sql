with

days as (
    select * from {{ ref('int_wallet_days_used') }}
),

windows as (
    select * from {{ ref('fct_wallet_windows') }}
),

summed as (
    select
        *,
        sum(coalesce(spent_nano_usd, 0)) over (
            partition by wallet_id, is_demo, window_start_date order by used_date nulls last
            rows between unbounded preceding and current row
        ) as spent_to_date_nano_usd
    from days
)

select
    summed.wallet_id,
    windows.wallet_kind,
    windows.owner_id,
    windows.team_id,
    windows.wallet_window,
    summed.window_start_date,
    summed.used_date,
    {{ nano_to_usd('coalesce(summed.spent_nano_usd, 0)') }} as spent_usd,
    {{ nano_to_usd('summed.spent_to_date_nano_usd') }} as spent_to_date_usd,
    {{ nano_to_usd('summed.held_nano_usd') }} as held_usd,
    {{ nano_to_usd('summed.reported_nano_usd') }} as outside_cost_usd,
    cast(coalesce(summed.unknown_charge_count, 0) as bigint) as unknown_charge_count,
    windows.cap_usd,
    windows.is_unlimited,
    summed.is_demo
from summed
inner join windows
    on
        windows.wallet_id = summed.wallet_id
        and windows.is_demo = summed.is_demo
        and windows.window_start_date = summed.window_start_date
