{# Alerts on metrics: raised, looked after, ended. #}
with

source as (
    select * from {{ ref('stg_events_few') }}
),

alerts as (
    select
        -- identity
        event_id,
        event_type,
        alert_incident_id,
        alert_id,
        metric_id,
        team_id,
        agent_id,
        person_id,
        notice_id,

        -- what was said
        reason,
        observed_micro,
        bound_micro,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        occurred_at,
        recorded_at
    from source
    where event_type in ('alert_raised', 'alert_acknowledged', 'alert_resolved')
)

select * from alerts
