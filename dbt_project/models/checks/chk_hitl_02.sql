{# Each executed consequential call of a high-risk agent that needed approval was approved before it ran. #}
select
{{ check_row(
    month='month_start_date', kind='tool call', object='call_id',
    violation="decision is null or decision = 'rejected' or not coalesce(decided_at <= coalesce(consumed_at, finished_at), false)",
    detail="tool_name || ' was executed ' || case when decision is null then 'without a decision' when decision = 'rejected' then 'after a rejection' else 'before the decision' end",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from {{ ref('int_check_calls') }}
where is_executed and is_approval_needed
