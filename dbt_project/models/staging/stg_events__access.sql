with

source as (
    select * from {{ ref('stg_events_few') }}
),

access as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        agent_version,
        actor_id,
        person_id,
        role_id,

        -- export
        export_id,
        export_format,
        filter_text,
        scope,
        content_sha256,
        row_count,

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
        'export_created',
        'payload_read',
        'signed_in'
    )
)

select * from access
