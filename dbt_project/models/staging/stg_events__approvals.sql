{{ config(meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_in_runs') }}
),

approvals as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        agent_version,
        actor_id,
        approval_id,
        person_id,
        call_index,
        arguments_digest,
        approved_digest,

        -- rule
        tool_name,
        approval_rule,
        approver_role,
        decision,
        source_decision,
        decider_kind,
        is_confirmation_needed,
        reason,
        expires_at,

        -- measures
        money_at_stake_nano_usd,

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
        'approval_requested',
        'approval_shown',
        'approval_decided',
        'approval_expired',
        'approval_consumed',
        'approval_reported'
    )
)

select * from approvals
