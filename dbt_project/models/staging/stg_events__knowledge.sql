{{ config(meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_once') }}
),

knowledge as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        actor_id,
        person_id,
        call_index,
        rule_id,

        -- passage
        knowledge_source,
        document,
        chunk_sha256,
        chunk_rank,
        sensitivity,
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
        'knowledge_retrieved',
        'knowledge_refused'
    )
)

select * from knowledge
