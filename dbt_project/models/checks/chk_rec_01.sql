{# Each run that was started has ended within 24 hours, or says that it was lost. #}
select
{{ check_row(
    month=month_of('run_date'), kind='run', object='run_id',
    violation="end_state = 'lost'",
    detail="'started and never ended'",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from {{ ref('fct_runs') }}
where is_terminal and is_time_known
