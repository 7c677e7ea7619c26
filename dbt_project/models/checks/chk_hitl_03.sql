{# Whoever decided a call of a high-risk agent neither started the run nor wrote the version. #}
select
{{ check_row(
    month='month_start_date', kind='approval', object='approval_id',
    violation='decided_by = actor_id or decided_by = author_id',
    detail="decided_by || case when decided_by = actor_id then ' started the run and decided it' else ' wrote the version and decided its call' end",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from {{ ref('int_check_calls') }}
where decision is not null
