{# What was executed is what was approved: the digests of the arguments are equal. #}
select
{{ check_row(
    month='month_start_date', kind='tool call', object='call_id',
    violation='arguments_digest is null or approved_digest is null or arguments_digest <> approved_digest',
    detail="tool_name || ' ran with other arguments than were approved, or a digest is missing'",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from {{ ref('int_check_calls') }}
where is_executed and decision in ('approved', 'approved_changed')
