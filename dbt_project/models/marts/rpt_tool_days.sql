select
    call_date,
    team_id,
    agent_id,
    tool_name,
    is_demo,
    is_delegated,
    cast(count(*) as bigint) as tool_calls,
    cast(count(case when is_executed then 1 end) as bigint) as tool_calls_executed,
    cast(count(case when is_error then 1 end) as bigint) as tool_errors,
    cast(count(case when tool_outcome = 'refused' then 1 end) as bigint) as tool_calls_refused,
    cast(count(case when tool_outcome = 'denied' then 1 end) as bigint) as tool_calls_denied,
    cast(sum(duration_ms) as decimal(18, 6)) as duration_ms_sum,
    cast(count(duration_ms) as bigint) as tool_calls_with_duration
from {{ ref('fct_tool_calls') }}
where called_by = 'agent'
group by call_date, team_id, agent_id, tool_name, is_demo, is_delegated
