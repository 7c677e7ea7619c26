{# What people did to keep agents in hand: approvals of versions, stops, reviews, trainings, incidents, drills. #}
with

source as (
    select * from {{ ref('stg_events_few') }}
),

assurance as (
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
        version_hash,
        stop_id,
        incident_id,
        request_id,
        waiver_id,
        finding_id,
        recovered_writer_id,

        -- what was found or decided
        check_id,
        check_month,
        is_good,
        is_drill,
        incident_class,
        reported_to,
        review_period,
        review_decision,
        content_sha256,
        reason,

        -- measures
        halt_ns,
        torn_bytes,
        identified_at,
        received_at,
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
    where event_type in (
        'version_approved', 'version_evaluated', 'stop_ordered', 'stop_lifted', 'stop_drill', 'review_decided',
        'review_confirmed', 'training_recorded', 'seeded_case_recorded', 'incident_opened', 'incident_reported',
        'incident_closed', 'restore_drilled', 'erasure_requested', 'erasure_answered', 'payload_erased',
        'log_recovered', 'recovery_explained', 'absence_attested', 'report_signed', 'waiver_granted',
        'waiver_withdrawn'
    )
)

select * from assurance
