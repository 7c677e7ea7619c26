{# An approval of a high-risk agent authorises one call, and is used before it expires. #}
select
{{ check_row(
    month='month_start_date', kind='approval', object='approval_id',
    violation='use_count > 1 or coalesce(consumed_at, case when is_executed then finished_at end) > expires_at',
    detail="case when use_count > 1 then 'used ' || use_count || ' times' else 'used after it had expired' end",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from {{ ref('int_check_calls') }}
where decision in ('approved', 'approved_changed')
