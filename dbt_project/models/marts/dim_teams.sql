with

registry as (
    select * from {{ ref('int_registry_applied') }}
    where event_type = 'team_declared'
),

declared as (
    select * from registry
    qualify row_number() over (
        partition by team_id, applies_to_demo order by occurred_at desc nulls last, event_id desc
    ) = 1
),

seen as (
    select team_id, is_demo from {{ ref('int_runs_found') }}
    union
    select paying_team_id as team_id, is_demo from {{ ref('int_runs_found') }}
    union
    select team_id, is_demo from {{ ref('int_agents_declared') }}
    union
    select team_id, applies_to_demo as is_demo from declared
)

select
    seen.team_id,
    declared.team_name,
    declared.owner_id as manager_id,
    declared.cost_center,
    declared.team_id is not null as is_registered,
    seen.is_demo
from seen
left join declared on declared.team_id = seen.team_id and declared.applies_to_demo = seen.is_demo
where seen.team_id is not null
