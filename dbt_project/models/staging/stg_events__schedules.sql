with

source as (
    select * from {{ ref('stg_events_few') }}
),

schedules as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        actor_id,
        person_id,
        rule_id,

        -- slot
        slot_at,
        lateness_ns,
        is_late,
        refusal_rule,
        reason,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        occurred_at,
        recorded_at
    from source
    where event_type in (
        'schedule_fired',
        'schedule_missed'
    )
)

select * from schedules
