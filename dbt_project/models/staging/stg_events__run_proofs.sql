{# What a run's own events prove of it: the specification it ran, the commitment to its task, how fast it stopped. #}
with

source as (
    select * from {{ source('log', 'events') }}
),

proofs as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        agent_id,
        team_id,
        role_id,
        version_hash,
        payload_commit,
        content_capture,
        stop_id,

        -- measures
        halt_ns,

        -- provenance
        is_demo,

        -- time
        occurred_at
    from source
    where event_type in ('run_requested', 'run_started', 'run_ended')
    qualify row_number() over (
        partition by event_id order by recorded_at nulls last, writer_id nulls last, seq nulls last
    ) = 1
)

select * from proofs
