{# A call whose request was rejected or lapsed was not executed. #}
select
{{ check_row(
    month='month_start_date', kind='tool call', object='call_id',
    violation='is_executed',
    detail="tool_name || ' was executed although its request is ' || approval_status",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from {{ ref('int_check_calls') }}
where approval_status in ('rejected', 'expired', 'withdrawn')
