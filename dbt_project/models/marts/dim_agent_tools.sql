with

registry as (
    select * from {{ ref('int_registry_applied') }}
    where event_type = 'tool_rule_set'
),

agents as (
    select * from {{ ref('int_agents_declared') }}
),

rules as (
    select * from registry
    qualify row_number() over (
        partition by agent_id, agent_version, tool_name, applies_to_demo
        order by occurred_at desc nulls last, event_id desc
    ) = 1
)

select
    rules.agent_id,
    rules.agent_version,
    coalesce(rules.team_id, agents.team_id) as team_id,
    rules.tool_name,
    rules.tool_effect,
    rules.approval_rule,
    rules.approver_role,
    rules.applies_to_demo as is_demo
from rules
left join agents on agents.agent_id = rules.agent_id and agents.is_demo = rules.applies_to_demo
