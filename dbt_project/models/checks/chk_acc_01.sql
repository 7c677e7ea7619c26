{# Each export and each reading of texts was within the teams that the person may see. #}
with

people as (
    select
        *,
        lead(occurred_at) over (
            partition by person_id, applies_to_demo order by occurred_at nulls last, event_id
        ) as until_at
    from {{ ref('int_registry_applied') }}
    where event_type = 'person_declared'
),

access as (
    select
        access.*,
        coalesce(access.team_id, found.team_id) as object_team_id,
        people.scope as reach,
        people.team_id as own_team_id,
        people.person_id is not null as is_known
    from {{ ref('stg_events__access') }} as access
    left join {{ ref('int_runs_found') }} as found on found.run_id = access.run_id
    left join people
        on
            people.person_id = access.person_id
            and people.applies_to_demo = access.is_demo
            and people.occurred_at <= access.occurred_at
            and (people.until_at is null or people.until_at > access.occurred_at)
    where access.event_type in ('export_created', 'payload_read')
)

select
{{ check_row(
    month=month_of(local_date('occurred_at')), kind='access', object='coalesce(export_id, event_id)',
    violation="not is_known or (coalesce(reach, 'own') <> 'all' and (object_team_id <> own_team_id or (event_type = 'payload_read' and object_team_id is null) or (event_type = 'export_created' and coalesce(scope, 'all') = 'all')))",
    detail="person_id || case when not is_known then ' is not declared' else ' reached rows outside ' || own_team_id end || case when event_type = 'export_created' then ' with an export' else ' by reading texts' end",
    agent='agent_id', team='object_team_id', run='run_id', person='person_id', event='event_id',
) }}
from access
