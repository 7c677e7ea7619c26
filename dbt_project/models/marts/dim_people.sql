with

registry as (
    select * from {{ ref('int_registry_applied') }}
    where event_type = 'person_declared'
)

select
    person_id,
    role_id,
    team_id,
    scope,
    person_name,
    applies_to_demo as is_demo
from registry
qualify row_number() over (
    partition by person_id, applies_to_demo order by occurred_at desc nulls last, event_id desc
) = 1
