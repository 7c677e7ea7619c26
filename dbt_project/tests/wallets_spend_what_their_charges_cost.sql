-- Would have caught: a charge at midnight in the wrong window, or a team wallet without its delegated runs.
with

team_windows as (
    select * from {{ ref('fct_wallet_windows') }}
    where wallet_kind = 'team'
),

charges as (
    select * from {{ ref('fct_charges') }}
)

select
    team_windows.wallet_id,
    team_windows.window_start_date,
    team_windows.spent_usd,
    sum(charges.list_cost_usd) as charge_cost_usd
from team_windows
left join charges
    on
        charges.team_id = team_windows.owner_id
        and charges.is_demo = team_windows.is_demo
        and charges.charged_at >= team_windows.window_start_at
        and (team_windows.window_end_at is null or charges.charged_at < team_windows.window_end_at)
group by team_windows.wallet_id, team_windows.window_start_date, team_windows.spent_usd
having team_windows.spent_usd <> coalesce(sum(charges.list_cost_usd), 0)
