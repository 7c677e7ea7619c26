{{ config(materialized='view', meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_in_runs') }}
),

runs as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        agent_version,
        actor_id,
        parent_run_id,
        conversation_id,
        role_id,
        trial_id,
        trial_arm,

        -- model
        provider_name,
        requested_model,

        -- state
        trigger_kind,
        pause_reason,
        end_state,
        error_type,
        refusal_rule,
        reason,
        message_role,

        -- source
        source_file,
        source_run_id,
        source_task_id,
        source_agent,
        source_domain,
        source_end_reason,
        is_time_stated,
        unstated_counts,

        -- measures
        machine_ns,
        declared_event_count,
        turn_count,
        user_message_count,
        assistant_message_count,
        tool_result_count,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        reasoning_tokens,
        total_tokens,
        reported_cost_nano_usd,
        other_side_cost_nano_usd,

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
        'run_requested',
        'run_refused',
        'run_started',
        'run_paused',
        'run_resumed',
        'run_ended',
        'run_counted',
        'message_recorded'
    )
)

select * from runs
