{# One row per incident: opened, told to whom and when, closed. #}
{{ config(materialized='table') }}
with

events as (
    select * from {{ ref('stg_events__assurance') }}
    where event_type in ('incident_opened', 'incident_reported', 'incident_closed')
),

opened as (
    select * from events
    where event_type = 'incident_opened'
    qualify row_number() over (partition by incident_id order by occurred_at nulls last, event_id) = 1
),

later as (
    select
        incident_id,
        min(case when reported_to = 'provider' then occurred_at end) as provider_told_at,
        min(case when reported_to = 'authority' then occurred_at end) as authority_told_at,
        min(case when event_type = 'incident_closed' then occurred_at end) as closed_at
    from events
    group by incident_id
)

select
    opened.is_demo,
    opened.incident_id,
    opened.event_id,
    opened.agent_id,
    opened.team_id,
    opened.person_id,
    opened.incident_class,
    opened.identified_at,
    later.provider_told_at,
    later.authority_told_at,
    later.closed_at,
    case opened.incident_class
        when 'widespread' then opened.identified_at + interval '2' day
        when 'death' then opened.identified_at + interval '10' day
        when 'serious' then opened.identified_at + interval '15' day
    end as due_at
from opened
left join later on later.incident_id = opened.incident_id
