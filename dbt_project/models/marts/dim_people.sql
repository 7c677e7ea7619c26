with

registry as (
    select * from {{ ref('int_registry_applied') }}
    where event_type = 'person_declared'
),

removed as (
    select
        person_id,
        applies_to_demo,
        max(occurred_at) as removed_at
    from {{ ref('int_registry_applied') }}
    where event_type = 'person_removed'
    group by person_id, applies_to_demo
),

declared as (
    select * from registry
    qualify row_number() over (
        partition by person_id, applies_to_demo order by occurred_at desc nulls last, event_id desc
    ) = 1
)

select
    declared.person_id,
    declared.role_id,
    declared.team_id,
    declared.scope,
    declared.person_name,
    removed.removed_at is null or removed.removed_at < declared.occurred_at as is_declared,
    case when removed.removed_at >= declared.occurred_at then removed.removed_at end as removed_at,
    declared.applies_to_demo as is_demo
from declared
left join removed
    on removed.person_id = declared.person_id and removed.applies_to_demo = declared.applies_to_demo
