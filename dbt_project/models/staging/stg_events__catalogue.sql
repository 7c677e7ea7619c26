with

source as (
    select * from {{ ref('stg_events_few') }}
),

catalogue as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        actor_id,
        person_id,
        tool_name,
        template_id,

        -- declaration
        tool_effect,
        is_grant_needed,
        template_version,

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
        'tool_declared',
        'tool_removed',
        'template_declared',
        'template_removed'
    )
)

select * from catalogue
