{# Each run has as many events as it declared when it ended. #}
select
{{ check_row(
    month=month_of('run_date'), kind='run', object='run_id',
    violation='event_count <> declared_event_count',
    detail="'declared ' || declared_event_count || ' events, the log holds ' || event_count",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from {{ ref('fct_runs') }}
where declared_event_count is not null
