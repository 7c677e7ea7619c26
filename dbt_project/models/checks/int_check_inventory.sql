{# Each declared agent in each month, as its newest version, status and owner were when the month was over. #}
{{ config(materialized='table') }}
with

months as (
    select * from {{ ref('int_check_months') }}
),

registry as (
    select * from {{ ref('int_registry_applied') }}
),

newest as (
    select
        months.month_start_date,
        months.month_end_at,
        registry.*
    from months
    inner join registry on registry.applies_to_demo = months.is_demo and registry.occurred_at < months.month_end_at
    where registry.event_type = 'agent_version_declared'
    qualify row_number() over (
        partition by registry.agent_id, registry.applies_to_demo, months.month_start_date
        order by registry.occurred_at desc nulls last, registry.agent_version desc nulls last, registry.event_id desc
    ) = 1
),

-- the newest status and the newest change of owner before the month was over
decided as (
    select
        months.month_start_date,
        registry.agent_id,
        registry.applies_to_demo,
        max_by(registry.status, registry.occurred_at) filter (where registry.event_type = 'status_changed') as status,
        max(registry.occurred_at) filter (where registry.event_type = 'owner_changed') as owned_at,
        max_by(coalesce(registry.owner_id, ''), registry.occurred_at)
            filter (where registry.event_type = 'owner_changed') as owner_id
    from months
    inner join registry on registry.applies_to_demo = months.is_demo and registry.occurred_at < months.month_end_at
    where registry.event_type in ('status_changed', 'owner_changed')
    group by months.month_start_date, registry.agent_id, registry.applies_to_demo
)

select
    newest.applies_to_demo as is_demo,
    newest.month_start_date,
    newest.month_end_at,
    newest.agent_id,
    newest.team_id,
    newest.agent_version,
    newest.purpose,
    newest.risk_class,
    newest.risk_reasons,
    newest.risk_assessor_id,
    newest.risk_review_by,
    newest.occurred_at as declared_at,
    case when decided.owned_at > newest.occurred_at then nullif(decided.owner_id, '') else newest.owner_id end as owner_id,
    coalesce(decided.status, 'draft') as status
from newest
left join decided
    on
        decided.agent_id = newest.agent_id
        and decided.applies_to_demo = newest.applies_to_demo
        and decided.month_start_date = newest.month_start_date
