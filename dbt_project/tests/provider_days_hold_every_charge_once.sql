-- Would have caught: a charge lost or counted twice where exports that tell no models apart fold a day.
with

held as (
    select
        is_demo,
        provider_name,
        sum(log_charge_count) as log_charge_count,
        sum(coalesce(log_cost_usd, 0)) as log_cost_usd
    from {{ ref('rpt_provider_days') }}
    group by is_demo, provider_name
),

charged as (
    select
        is_demo,
        provider_name,
        count(*) as charge_count,
        sum(coalesce(cost_usd, 0)) as charge_cost_usd
    from {{ ref('fct_charges') }}
    where provider_name is not null and charged_at is not null
    group by is_demo, provider_name
)

select *
from held
full outer join charged
    on charged.is_demo = held.is_demo and charged.provider_name = held.provider_name
where
    coalesce(held.log_charge_count, 0) <> coalesce(charged.charge_count, 0)
    or coalesce(held.log_cost_usd, 0) <> coalesce(charged.charge_cost_usd, 0)
