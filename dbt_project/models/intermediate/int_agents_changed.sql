{# The moments at which an agent changed, and what was decided then: its version, its owner, its status. #}
with

registry as (
    select * from {{ ref('int_registry_applied') }}
),

versions as (
    select * from {{ ref('int_versions_ruled') }}
    where in_force_at is not null
    qualify row_number() over (
        partition by agent_id, applies_to_demo, in_force_at order by agent_version desc nulls last
    ) = 1
),

owners as (
    select * from registry
    where event_type in ('owner_changed', 'agent_version_declared')
    qualify row_number() over (
        partition by agent_id, applies_to_demo, occurred_at
        order by
            case when event_type = 'owner_changed' then 0 else 1 end,
            agent_version desc nulls last,
            event_id desc
    ) = 1
),

statuses as (
    select * from registry
    where event_type = 'status_changed'
    qualify row_number() over (
        partition by agent_id, applies_to_demo, occurred_at order by event_id desc nulls last
    ) = 1
),

moments as (
    select agent_id, applies_to_demo, in_force_at as changed_at from versions
    union
    select agent_id, applies_to_demo, occurred_at as changed_at from owners
    union
    select agent_id, applies_to_demo, occurred_at as changed_at from statuses
)

select
    moments.agent_id,
    moments.applies_to_demo as is_demo,
    moments.changed_at,
    versions.agent_version,
    versions.team_id,
    versions.risk_class,
    owners.owner_id,
    owners.deputy_id,
    statuses.status,
    statuses.reason as status_reason,
    -- how many decisions of each kind there were until then: the newest one holds
{% for kind in ['versions', 'owners', 'statuses'] %}
    count({{ kind }}.event_id) over (
        partition by moments.agent_id, moments.applies_to_demo order by moments.changed_at nulls last
        rows between unbounded preceding and current row
    ) as {{ kind }}_count,
    {{ kind }}.event_id is not null as has_{{ kind }}{{ '' if loop.last else ',' }}
{% endfor %}
from moments
left join versions
    on
        versions.agent_id = moments.agent_id
        and versions.applies_to_demo = moments.applies_to_demo
        and versions.in_force_at = moments.changed_at
{% for kind in ['owners', 'statuses'] %}
left join {{ kind }}
    on
        {{ kind }}.agent_id = moments.agent_id
        and {{ kind }}.applies_to_demo = moments.applies_to_demo
        and {{ kind }}.occurred_at = moments.changed_at
{% endfor %}
