with

source as (
    select * from {{ ref('stg_events_few') }}
),

stops as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        actor_id,
        person_id,
        stop_id,

        -- order
        stop_scope,
        is_drill,
        reason,

        -- measures
        halt_ns,

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
        'stop_ordered',
        'stop_lifted',
        'stop_drill'
    )
)

select * from stops
