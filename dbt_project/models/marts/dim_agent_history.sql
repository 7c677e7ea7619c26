with

changes as (
    select * from {{ ref('int_agents_changed') }}
),

held as (
    select
        changes.agent_id,
        changes.is_demo,
        changes.changed_at,
        versions.agent_version,
        versions.team_id,
        versions.risk_class,
        owners.owner_id,
        owners.deputy_id,
        statuses.status,
        statuses.status_reason
    from changes
{% for kind in ['versions', 'owners', 'statuses'] %}
    left join changes as {{ kind }}
        on
            {{ kind }}.agent_id = changes.agent_id
            and {{ kind }}.is_demo = changes.is_demo
            and {{ kind }}.{{ kind }}_count = changes.{{ kind }}_count
            and {{ kind }}.has_{{ kind }}
{% endfor %}
),

compared as (
    select
        *,
{% for name in ['agent_version', 'owner_id', 'deputy_id', 'status'] %}
        lag({{ name }}) over (
            partition by agent_id, is_demo order by changed_at nulls last
        ) as {{ name }}_before,
{% endfor %}
        lag(changed_at) over (partition by agent_id, is_demo order by changed_at nulls last) as before_at
    from held
),

changed as (
    select * from compared
    where
        before_at is null
{% for name in ['agent_version', 'owner_id', 'deputy_id', 'status'] %}
        or {{ name }} is distinct from {{ name }}_before
{% endfor %}
)

select
    changed.agent_id,
    coalesce(changed.team_id, agents.team_id) as team_id,
    changed.changed_at as valid_from_at,
    lead(changed.changed_at) over (
        partition by changed.agent_id, changed.is_demo order by changed.changed_at nulls last
    ) as valid_until_at,
    changed.agent_version,
    changed.risk_class,
    changed.owner_id,
    changed.deputy_id,
    changed.status,
    changed.status_reason,
    changed.is_demo
from changed
left join {{ ref('int_agents_declared') }} as agents
    on agents.agent_id = changed.agent_id and agents.is_demo = changed.is_demo
