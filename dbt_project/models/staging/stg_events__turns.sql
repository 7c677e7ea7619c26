{# A view: its one large reader takes it from the log at once. #}
{{ config(materialized='view', meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_in_runs') }}
),

turns as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        agent_version,
        actor_id,
        turn_index,
        attempt,
        payload_id,

        -- model
        provider_name,
        requested_model,
        served_model,
        finish_reason,
        error_type,

        -- usage
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        reasoning_tokens,
        is_cache_in_input,
        max_output_tokens,

        -- money
        list_cost_nano_usd,
        reported_cost_nano_usd,
        hold_nano_usd,
        price_version,

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
        'turn_requested',
        'turn_finished'
    )
)

select * from turns
