{# Consequential calls of versions of high risk, or without a class, each with the approval it names. #}
{{ config(materialized='table') }}
with

versions as (
    select * from {{ ref('dim_agent_versions') }}
    where coalesce(risk_class, 'high') = 'high'
),

calls as (
    select * from {{ ref('fct_tool_calls') }}
    where tool_effect = 'consequential' and called_by = 'agent'
)

select
    calls.is_demo,
    {{ month_of('calls.call_date') }} as month_start_date,
    calls.run_id || '/' || calls.call_index as call_id,
    calls.run_id,
    calls.call_index,
    calls.agent_id,
    calls.agent_version,
    calls.team_id,
    calls.tool_name,
    calls.is_executed,
    calls.requested_at,
    calls.finished_at,
    calls.arguments_digest,
    runs.actor_id,
    versions.author_id,
    rules.approval_rule,
    -- a rule may ask above a threshold only; what was recorded before the call says whether it did
    coalesce(paired.is_approval_needed, rules.approval_rule is not null) as is_approval_needed,
    approvals.approval_id,
    approvals.decision,
    approvals.decided_at,
    approvals.decided_by,
    approvals.requested_by,
    approvals.approved_digest,
    approvals.expires_at,
    approvals.consumed_at,
    approvals.use_count,
    approvals.approval_status
from calls
inner join versions
    on
        versions.agent_id = calls.agent_id
        and versions.agent_version = calls.agent_version
        and versions.is_demo = calls.is_demo
inner join {{ ref('fct_runs') }} as runs on runs.run_id = calls.run_id
inner join {{ ref('int_tool_calls_paired') }} as paired
    on paired.run_id = calls.run_id and paired.call_index = calls.call_index
left join {{ ref('dim_agent_tools') }} as rules
    on
        rules.agent_id = calls.agent_id
        and rules.agent_version = calls.agent_version
        and rules.tool_name = calls.tool_name
        and rules.is_demo = calls.is_demo
left join {{ ref('int_approvals_decided') }} as approvals
    on approvals.run_id = calls.run_id and approvals.call_index = calls.call_index
