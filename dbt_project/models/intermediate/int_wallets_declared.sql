{#
  Each wallet in each population: where it is declared, and where its owner spends though it is declared in the
  other population only (real runs imported into a demo workspace).
#}
with

budget_events as (
    select
        *,
        coalesce(window_start_at, occurred_at) as effective_from_at
    from {{ ref('stg_events__wallets') }}
    where event_type = 'budget_set' and wallet_kind <> 'run'
),

populations as (
    select * from {{ ref('int_populations_counted') }}
),

spenders as (
    select 'team' as wallet_kind, team_id as owner_id, is_demo from {{ ref('fct_charges') }}
    union
    select 'agent' as wallet_kind, agent_id as owner_id, is_demo from {{ ref('fct_charges') }}
),

wallets as (
    select
        budget_events.wallet_id,
        populations.is_demo,
        max(budget_events.wallet_kind) as wallet_kind,
        max(budget_events.wallet_window) as wallet_window,
        split_part(budget_events.wallet_id, ':', 2) as owner_id,
        max(budget_events.team_id) as team_id,
        min(budget_events.effective_from_at) as first_declared_at,
        bool_or(budget_events.is_demo = populations.is_demo) as is_declared_here,
        max(populations.data_until) as data_until
    from budget_events
    cross join populations
    group by budget_events.wallet_id, populations.is_demo
)

select wallets.*
from wallets
left join spenders
    on
        spenders.wallet_kind = wallets.wallet_kind
        and spenders.owner_id = wallets.owner_id
        and spenders.is_demo = wallets.is_demo
where wallets.is_declared_here or spenders.owner_id is not null
