select
    check_id || ' ' || object_id as finding_id,
    check_id,
    month_start_date,
    object_kind,
    object_id,
    agent_id,
    team_id,
    run_id,
    person_id,
    event_id,
    detail,
    is_demo
from {{ ref('int_check_rows') }}
where is_violation
