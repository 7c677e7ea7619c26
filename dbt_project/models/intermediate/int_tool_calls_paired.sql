{# One row per tool call: the intent, and the result if there is one. tool_call_id repeats within runs, call_index does not. #}
{{ config(meta={'by': 'run'}) }}
{% set keys = ['run_id', 'call_index', 'event_type'] %}
with

repeated as (
    {{ repeated_keys(ref('stg_events__tool_calls'), keys) }}
),

requested as (
    {{ first_by_key(
        ref('stg_events__tool_calls'), 'repeated', "event_type = 'tool_call_requested'", keys,
        ['occurred_at nulls last', 'event_id'],
    ) }}
),

finished as (
    {{ first_by_key(
        ref('stg_events__tool_calls'), 'repeated', "event_type = 'tool_call_finished'", keys,
        ['occurred_at desc nulls last', 'event_id desc'],
    ) }}
)

select
    coalesce(requested.run_id, finished.run_id) as run_id,
    coalesce(requested.call_index, finished.call_index) as call_index,
    coalesce(requested.tool_call_id, finished.tool_call_id) as tool_call_id,
    coalesce(requested.turn_index, finished.turn_index) as turn_index,
    coalesce(requested.tool_name, finished.tool_name) as tool_name,
    coalesce(requested.tool_effect, finished.tool_effect) as tool_effect,
    coalesce(requested.called_by, finished.called_by, 'agent') as called_by,
    requested.is_approval_needed,
    requested.occurred_at as requested_at,
    finished.occurred_at as finished_at,
    finished.tool_outcome,
    finished.tool_error_class,
    finished.error_type,
    case
        when finished.tool_outcome in ('succeeded', 'failed') then true
        when finished.tool_outcome in ('refused', 'denied') then false
    end as is_executed,
    case
        when finished.tool_outcome = 'failed' then true
        when finished.tool_outcome = 'succeeded' then false
    end as is_error,
    finished.duration_ns,
    finished.approval_id,
    coalesce(finished.arguments_digest, requested.arguments_digest) as arguments_digest,
    requested.payload_id as arguments_payload_id,
    finished.payload_id as result_payload_id
from requested
full outer join finished
    on
        finished.run_id = requested.run_id
        and finished.call_index = requested.call_index
