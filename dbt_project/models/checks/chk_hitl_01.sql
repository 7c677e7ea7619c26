{# Each consequential tool of each high-risk version that ran in the month has an approval rule. #}
select
{{ check_row(
    month='month_start_date', kind='tool',
    object="versions.agent_id || ' v' || versions.agent_version || ' ' || tools.tool_name",
    violation='tools.approval_rule is null',
    detail="'consequential tool ' || tools.tool_name || ' has no approval rule'",
    agent='versions.agent_id', team='versions.team_id', person='versions.author_id',
) }}
from {{ ref('int_check_versions') }} as versions
inner join {{ ref('dim_agent_tools') }} as tools using (agent_id, agent_version, is_demo)
where versions.risk_class = 'high' and tools.tool_effect = 'consequential'
