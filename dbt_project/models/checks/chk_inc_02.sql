{# Each incident: no run of the agent began between its identification and its end. Needs recorded incidents. #}
with

incidents as (
    select
        incidents.is_demo,
        months.month_start_date,
        incidents.incident_id,
        incidents.event_id,
        incidents.agent_id,
        incidents.team_id,
        incidents.person_id,
        count(runs.run_id) as run_count,
        min(runs.run_id) as run_id
    from {{ ref('int_check_incidents') }} as incidents
    inner join {{ ref('int_check_months') }} as months
        on
            months.is_demo = incidents.is_demo
            and incidents.identified_at < months.month_end_at
            and (incidents.closed_at is null or incidents.closed_at >= months.month_end_at - interval '1' month)
    left join {{ ref('int_check_runs') }} as runs
        on
            runs.agent_id = incidents.agent_id
            and runs.is_demo = incidents.is_demo
            and runs.month_start_date = months.month_start_date
            and runs.started_at >= incidents.identified_at
            and (incidents.closed_at is null or runs.started_at < incidents.closed_at)
    group by
        incidents.is_demo, months.month_start_date, incidents.incident_id, incidents.event_id, incidents.agent_id,
        incidents.team_id, incidents.person_id
)

select
{{ check_row(
    month='month_start_date', kind='incident', object='incident_id',
    violation='run_count > 0',
    detail="agent_id || ' ran ' || run_count || ' times while the incident was open, first ' || coalesce(run_id, '')",
    agent='agent_id', team='team_id', run='run_id', person='person_id', event='event_id',
) }}
from incidents
