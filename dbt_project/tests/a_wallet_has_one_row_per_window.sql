-- Would have caught: windows of one wallet that overlap because the company's clock changed.
select
    earlier.wallet_id,
    earlier.window_start_date,
    later.window_start_date as overlapping_start_date
from {{ ref('fct_wallet_windows') }} as earlier
inner join {{ ref('fct_wallet_windows') }} as later
    on
        later.wallet_id = earlier.wallet_id
        and later.is_demo = earlier.is_demo
        and later.window_start_at > earlier.window_start_at
        and later.window_start_at < earlier.window_end_at
