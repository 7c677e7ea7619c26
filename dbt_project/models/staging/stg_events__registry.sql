with

source as (
    select * from {{ ref('stg_events_few') }}
),

registry as (
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
        owner_id,
        deputy_id,
        author_id,
        role_id,
        rule_id,

        -- names
        agent_name,
        team_name,
        person_name,
        cost_center,

        -- specification
        version_hash,
        purpose,
        risk_class,
        risk_reasons,
        risk_assessor_id,
        risk_review_by,
        template_id,
        template_version,
        diverged_fields,
        provider_name,
        requested_model,
        expected_use,
        is_approval_needed,
        status,
        reason,

        -- rules
        tool_name,
        tool_effect,
        approval_rule,
        approver_role,
        action,
        scope,
        grant_effect,

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
        'team_declared',
        'person_declared',
        'person_removed',
        'agent_version_declared',
        'version_approved',
        'tool_rule_set',
        'role_granted',
        'role_revoked',
        'owner_changed',
        'status_changed'
    )
)

select * from registry
