{# The newest declaration of each agent in each population, with the owner and status decided since. #}
with

registry as (
    select * from {{ ref('int_registry_applied') }}
),

newest as (
    select * from registry
    where event_type = 'agent_version_declared'
    qualify row_number() over (
        partition by agent_id, applies_to_demo
        order by occurred_at desc nulls last, agent_version desc nulls last, event_id desc
    ) = 1
),

owners as (
    select * from registry
    where event_type = 'owner_changed'
    qualify row_number() over (
        partition by agent_id, applies_to_demo order by occurred_at desc nulls last, event_id desc
    ) = 1
),

statuses as (
    select * from registry
    where event_type = 'status_changed'
    qualify row_number() over (
        partition by agent_id, applies_to_demo order by occurred_at desc nulls last, event_id desc
    ) = 1
),

tools as (
    select
        agent_id,
        agent_version,
        applies_to_demo,
        cast(count(distinct tool_name) as bigint) as tool_count
    from registry
    where event_type = 'tool_rule_set'
    group by agent_id, agent_version, applies_to_demo
)

select
    newest.agent_id,
    newest.applies_to_demo as is_demo,
    newest.team_id,
    newest.agent_name,
    newest.purpose,
    case when owners.occurred_at > newest.occurred_at then owners.owner_id else newest.owner_id end as owner_id,
    case when owners.occurred_at > newest.occurred_at then owners.deputy_id else newest.deputy_id end as deputy_id,
    newest.risk_class,
    statuses.status,
    newest.agent_version,
    newest.version_hash,
    newest.requested_model as model_name,
    newest.template_id,
    newest.template_version,
    newest.expected_use,
    newest.recorded_via,
    coalesce(tools.tool_count, 0) as tool_count
from newest
left join owners on owners.agent_id = newest.agent_id and owners.applies_to_demo = newest.applies_to_demo
left join statuses on statuses.agent_id = newest.agent_id and statuses.applies_to_demo = newest.applies_to_demo
left join tools
    on
        tools.agent_id = newest.agent_id
        and tools.agent_version = newest.agent_version
        and tools.applies_to_demo = newest.applies_to_demo
