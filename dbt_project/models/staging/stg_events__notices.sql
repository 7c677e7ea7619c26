with

source as (
    select * from {{ ref('stg_events_few') }}
),

notices as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        actor_id,
        person_id,
        notice_id,
        approval_id,
        wallet_id,
        rule_id,

        -- notice
        notice_kind,
        notification_id,
        attempt,
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
        'notice_raised',
        'notice_sent',
        'notice_failed'
    )
)

select * from notices
