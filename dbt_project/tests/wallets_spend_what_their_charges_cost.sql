-- Would have caught: a charge at midnight in the wrong window, or a team wallet without its delegated runs.
with

wallet_windows as (
    select * from {{ ref('fct_wallet_windows') }}
),

charges as (
    select * from {{ ref('fct_charges') }}
)

select
    wallet_windows.wallet_id,
    wallet_windows.window_start_date,
    wallet_windows.spent_usd,
    sum(charges.list_cost_usd) as charge_cost_usd
from wallet_windows
left join charges
    on
        -- a team pays for what it asked for, an agent's wallet for all that the agent did
        case wallet_windows.wallet_kind when 'team' then charges.team_id else charges.agent_id end
        = wallet_windows.owner_id
        and charges.is_demo = wallet_windows.is_demo
        and charges.charged_at >= wallet_windows.window_start_at
        and (wallet_windows.window_end_at is null or charges.charged_at < wallet_windows.window_end_at)
group by
    wallet_windows.wallet_id, wallet_windows.window_start_date, wallet_windows.is_demo, wallet_windows.spent_usd
having wallet_windows.spent_usd <> coalesce(sum(charges.list_cost_usd), 0)
