{# A view: its one large reader takes it from the log at once. #}
{{ config(materialized='view', meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_in_runs') }}
),

tool_calls as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        agent_version,
        actor_id,
        call_index,
        tool_call_id,
        turn_index,
        approval_id,
        payload_id,
        arguments_digest,

        -- tool
        tool_name,
        tool_effect,
        called_by,
        is_approval_needed,
        tool_outcome,
        tool_error_class,
        error_type,
        refusal_rule,
        reason,

        -- measures
        duration_ns,

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
        'tool_call_requested',
        'tool_call_finished'
    )
)

select * from tool_calls
