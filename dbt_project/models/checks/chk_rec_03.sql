{# Each tool call of an own run has a digest of its arguments and an outcome. #}
select
{{ check_row(
    month=month_of('call_date'), kind='tool call', object="run_id || '/' || call_index",
    violation='arguments_digest is null or tool_outcome is null',
    detail="tool_name || case when tool_outcome is null then ' has no outcome' else ' has no digest of its arguments' end",
    agent='agent_id', team='team_id', run='run_id',
) }}
from {{ ref('fct_tool_calls') }}
where recorded_via in ('runner', 'demo') and called_by = 'agent'
    and run_id in (select run_id from {{ ref('fct_runs') }} where is_terminal)
