with

versions as (
    select * from {{ ref('int_versions_ruled') }}
),

tools as (
    select
        agent_id,
        agent_version,
        is_demo,
        count(*) as tool_count,
        count(approval_rule) as ruled_count
    from {{ ref('dim_agent_tools') }}
    where tool_effect = 'consequential'
    group by agent_id, agent_version, is_demo
)

select
    versions.agent_id,
    versions.agent_version,
    versions.version_hash,
    versions.team_id,
    versions.agent_name,
    versions.version_status,
    versions.occurred_at as declared_at,
    versions.needs_second_person as is_approval_needed,
    versions.approved_at,
    versions.approved_by,
    versions.in_force_at,
    versions.in_force_until_at,
    {{ local_date('versions.in_force_at') }} as in_force_date,
    cast({{ local_date('versions.in_force_until_at') }} - 1 as date) as in_force_last_date,
    versions.author_id,
    versions.owner_id,
    versions.deputy_id,
    versions.risk_class,
    versions.risk_reasons,
    versions.risk_assessor_id,
    versions.risk_review_by as risk_review_by_at,
    versions.requested_model as model_name,
    versions.purpose,
    versions.template_id,
    versions.template_version,
    versions.diverged_fields,
    coalesce(tools.tool_count, 0) as consequential_tool_count,
    coalesce(tools.ruled_count, 0) as ruled_tool_count,
    versions.applies_to_demo as is_demo
from versions
left join tools
    on
        tools.agent_id = versions.agent_id
        and tools.agent_version = versions.agent_version
        and tools.is_demo = versions.applies_to_demo
