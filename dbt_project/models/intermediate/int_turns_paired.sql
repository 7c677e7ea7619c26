{# One row per attempt at a model turn: what was asked and held, and how it ended if it did. #}
{{ config(meta={'by': 'run'}) }}
{% set keys = ['run_id', 'turn_index', 'attempt', 'event_type'] %}
with

repeated as (
    {{ repeated_keys(ref('stg_events__turns'), keys) }}
),

requested as (
    {{ first_by_key(
        ref('stg_events__turns'), 'repeated', "event_type = 'turn_requested'", keys,
        ['occurred_at nulls last', 'event_id'],
    ) }}
),

finished as (
    -- a growing source states one call several times, its newest line last or with the most output
    {{ first_by_key(
        ref('stg_events__turns'), 'repeated', "event_type = 'turn_finished'", keys,
        ['occurred_at desc nulls last', 'output_tokens desc nulls last', 'event_id desc'],
    ) }}
),

swept as (
    select distinct
        run_id,
        turn_index,
        attempt
    from {{ ref('stg_events__wallets') }}
    where event_type = 'hold_swept'
)

select
    coalesce(requested.run_id, finished.run_id) as run_id,
    coalesce(requested.turn_index, finished.turn_index) as turn_index,
    coalesce(requested.attempt, finished.attempt) as attempt,
    coalesce(finished.provider_name, requested.provider_name) as provider_name,
    coalesce(finished.requested_model, requested.requested_model) as requested_model,
    finished.served_model,
    requested.occurred_at as requested_at,
    finished.occurred_at as finished_at,
    finished.input_tokens,
    finished.output_tokens,
    finished.cache_read_tokens,
    finished.cache_write_tokens,
    finished.reasoning_tokens,
    finished.is_cache_in_input,
    finished.list_cost_nano_usd,
    finished.reported_cost_nano_usd,
    finished.price_version,
    coalesce(requested.hold_nano_usd, finished.hold_nano_usd) as hold_nano_usd,
    finished.duration_ns,
    finished.finish_reason,
    finished.error_type,
    finished.payload_id,
    finished.run_id is not null as is_finished,
    swept.run_id is not null as is_hold_swept,
    -- a stated 0 says that the source has no price, not that the call was free
    coalesce(finished.list_cost_nano_usd, nullif(finished.reported_cost_nano_usd, 0)) as cost_nano_usd
from requested
full outer join finished
    on
        finished.run_id = requested.run_id
        and finished.turn_index = requested.turn_index
        and finished.attempt = requested.attempt
left join swept
    on
        swept.run_id = coalesce(requested.run_id, finished.run_id)
        and swept.turn_index = coalesce(requested.turn_index, finished.turn_index)
        and swept.attempt = coalesce(requested.attempt, finished.attempt)
