{# What a run's own events prove of it: the specification it ran, the commitment to its task, how fast it stopped. #}
{{ config(materialized='view', meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_in_runs') }}
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
)

select * from proofs
