with

windows as (
    select * from {{ ref('int_wallet_windows_opened') }}
),

used as (
    select * from {{ ref('int_wallet_windows_used') }}
),

agents as (
    select * from {{ ref('int_agents_declared') }}
),

joined as (
    select
        windows.*,
        case windows.wallet_kind
            when 'team' then windows.owner_id
            else coalesce(agents.team_id, windows.team_id)
        end as owning_team_id,
        coalesce(used.spent_nano_usd, 0) as spent_nano_usd,
        coalesce(used.held_nano_usd, 0) as held_nano_usd,
        used.reported_nano_usd,
        coalesce(used.unknown_charge_count, 0) as unknown_charge_count
    from windows
    left join used
        on
            used.wallet_id = windows.wallet_id
            and used.is_demo = windows.is_demo
            and used.window_start_date = windows.window_start_date
    left join agents
        on windows.wallet_kind = 'agent' and agents.agent_id = windows.owner_id and agents.is_demo = windows.is_demo
)

select
    wallet_id,
    wallet_kind,
    owner_id,
    owning_team_id as team_id,
    wallet_window,
    window_start_date,
    cast(window_end_date - 1 as date) as window_last_date,
    window_start_at,
    window_end_at,
    case when not is_unlimited then {{ nano_to_usd('cap_nano_usd') }} end as cap_usd,
    is_unlimited,
    {{ nano_to_usd('spent_nano_usd') }} as spent_usd,
    {{ nano_to_usd('held_nano_usd') }} as held_usd,
    {{ nano_to_usd('reported_nano_usd') }} as outside_cost_usd,
    unknown_charge_count,
    case when not is_unlimited then {{ ratio('spent_nano_usd + held_nano_usd', 'cap_nano_usd') }} end as utilisation_ratio,
    is_demo
from joined
