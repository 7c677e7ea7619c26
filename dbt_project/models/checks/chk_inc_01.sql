{# Each incident that was open in a month: told in time, the provider first. Needs recorded incidents. #}
with

incidents as (
    select
        incidents.*,
        months.month_start_date,
        months.month_end_at
    from {{ ref('int_check_incidents') }} as incidents
    inner join {{ ref('int_check_months') }} as months
        on
            months.is_demo = incidents.is_demo
            and incidents.identified_at < months.month_end_at
            and (incidents.closed_at is null or incidents.closed_at >= months.month_end_at - interval '1' month)
)

select
{{ check_row(
    month='month_start_date', kind='incident', object='incident_id',
    violation="due_at < month_end_at and (authority_told_at is null or authority_told_at > due_at) or (authority_told_at is not null and (provider_told_at is null or provider_told_at > authority_told_at))",
    detail="incident_class || ' incident of ' || agent_id || case when authority_told_at is null then ': the authority was not told in time' when authority_told_at > due_at then ': the authority was told too late' else ': the provider was not told first' end",
    agent='agent_id', team='team_id', person='person_id', event='event_id',
) }}
from incidents
