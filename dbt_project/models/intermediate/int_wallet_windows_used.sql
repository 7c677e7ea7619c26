{# What was spent and is held in each wallet window. #}
select
    wallet_id,
    is_demo,
    window_start_date,
    cast(sum(spent_nano_usd) as bigint) as spent_nano_usd,
    cast(sum(reported_nano_usd) as bigint) as reported_nano_usd,
    cast(sum(held_nano_usd) as bigint) as held_nano_usd,
    cast(sum(unknown_charge_count) as bigint) as unknown_charge_count
from {{ ref('int_wallet_days_used') }}
group by wallet_id, is_demo, window_start_date
