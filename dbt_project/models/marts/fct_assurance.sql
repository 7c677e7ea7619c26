select
    event_id,
    event_type,
    agent_id,
    agent_version,
    team_id,
    run_id,
    coalesce(actor_id, person_id) as recorded_by,
    person_id,
    check_id,
    check_month,
    incident_id,
    request_id,
    is_good,
    reason,
    expires_at,
    occurred_at,
    {{ local_date('occurred_at') }} as occurred_date,
    is_demo
from {{ ref('stg_events__assurance') }}
where event_type <> 'log_recovered'
