{#
  Each declared agent in each population: the version in force, or the newest while none is; owner and status
  as decided last. An owner is no part of a version: a new one answers at once, also while a version waits.
#}
with

registry as (
    select * from {{ ref('int_registry_applied') }}
),

versions as (
    select * from {{ ref('int_versions_ruled') }}
),

shown as (
    select * from versions
    qualify row_number() over (
        partition by agent_id, applies_to_demo
        order by
            case when version_status = 'in_force' then 0 when version_status = 'waiting' then 1 else 2 end,
            occurred_at desc nulls last,
            agent_version desc nulls last
    ) = 1
),

waiting as (
    select
        agent_id,
        applies_to_demo,
        max(agent_version) as waiting_version
    from versions
    where version_status = 'waiting'
    group by agent_id, applies_to_demo
),

owners as (
    select * from registry
    where event_type in ('owner_changed', 'agent_version_declared')
    qualify row_number() over (
        partition by agent_id, applies_to_demo
        order by
            occurred_at desc nulls last,
            case when event_type = 'owner_changed' then 0 else 1 end,
            agent_version desc nulls last,
            event_id desc
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
    shown.agent_id,
    shown.applies_to_demo as is_demo,
    shown.team_id,
    shown.agent_name,
    shown.purpose,
    owners.owner_id,
    owners.deputy_id,
    shown.risk_class,
    statuses.status,
    case when shown.version_status = 'in_force' then shown.agent_version end as agent_version,
    case when shown.version_status = 'in_force' then shown.version_hash end as version_hash,
    waiting.waiting_version,
    shown.requested_model as model_name,
    shown.template_id,
    shown.template_version,
    shown.expected_use,
    shown.recorded_via,
    coalesce(tools.tool_count, 0) as tool_count
from shown
left join waiting on waiting.agent_id = shown.agent_id and waiting.applies_to_demo = shown.applies_to_demo
left join owners on owners.agent_id = shown.agent_id and owners.applies_to_demo = shown.applies_to_demo
left join statuses on statuses.agent_id = shown.agent_id and statuses.applies_to_demo = shown.applies_to_demo
left join tools
    on
        tools.agent_id = shown.agent_id
        and tools.agent_version = shown.agent_version
        and tools.applies_to_demo = shown.applies_to_demo
