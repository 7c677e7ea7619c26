{# Findings of the checks between months, how they were settled, who may read texts, and binders that were made. #}
with

source as (
    select * from {{ ref('stg_events_few') }}
),

risk as (
    select
        -- identity
        event_id,
        event_type,
        finding_id,
        grant_id,
        run_id,
        team_id,
        agent_id,
        person_id,
        actor_id,

        -- what was found or decided
        risk_kind,
        severity,
        reason,
        evidence_ids,
        text_places,
        tool_name,
        rule_version,
        expires_at,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        occurred_at,
        recorded_at
    from source
    where event_type in ('risk_found', 'risk_settled', 'content_granted', 'content_grant_ended')
)

select * from risk
