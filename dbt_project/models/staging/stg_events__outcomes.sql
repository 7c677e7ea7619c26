{{ config(meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_once') }}
),

outcomes as (
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

        -- verdict
        outcome_kind,
        outcome_name,
        is_good,
        score_micro,
        intervention_kind,
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
        'outcome_recorded',
        'intervention_recorded'
    )
)

select * from outcomes
