{#
  Every declared version, and from when until when it was in force. One that needs a second person is in force
  from the approval on; until then it waits, and the version before stays.
#}
with

registry as (
    select * from {{ ref('int_registry_applied') }}
),

declared as (
    select * from registry
    where event_type = 'agent_version_declared'
    qualify row_number() over (
        partition by agent_id, agent_version, applies_to_demo order by occurred_at nulls last, event_id
    ) = 1
),

approved as (
    select * from registry
    where event_type = 'version_approved'
    qualify row_number() over (
        partition by agent_id, agent_version, applies_to_demo order by occurred_at nulls last, event_id
    ) = 1
),

ruled as (
    select
        declared.*,
        coalesce(declared.is_approval_needed, false) as needs_second_person,
        approved.person_id as approved_by,
        approved.occurred_at as approved_at,
        case
            when not coalesce(declared.is_approval_needed, false) then declared.occurred_at
            else approved.occurred_at
        end as in_force_at
    from declared
    left join approved
        on
            approved.agent_id = declared.agent_id
            and approved.agent_version = declared.agent_version
            and approved.version_hash = declared.version_hash
            and approved.applies_to_demo = declared.applies_to_demo
),

followed as (
    select
        *,
        case
            when in_force_at is not null
                then lead(in_force_at) over (
                    partition by agent_id, applies_to_demo order by in_force_at nulls last, agent_version
                )
        end as in_force_until_at
    from ruled
)

select
    *,
    case
        when in_force_at is null then 'waiting'
        when in_force_until_at is null then 'in_force'
        else 'superseded'
    end as version_status
from followed
