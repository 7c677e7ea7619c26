{{ config(meta={'by': 'run', 'day': 'turn_date'}) }}
with

turns as (
    select * from {{ ref('int_turns_paired') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    turns.run_id,
    turns.turn_index,
    turns.attempt,
    runs.team_id,
    runs.agent_id,
    runs.agent_version,
    turns.provider_name,
    turns.requested_model,
    turns.served_model,
    case when runs.is_time_known then turns.requested_at end as requested_at,
    case when runs.is_time_known then turns.finished_at end as finished_at,
    {{ local_date('coalesce(turns.finished_at, turns.requested_at)') }} as turn_date,
    turns.input_tokens,
    turns.output_tokens,
    turns.cache_read_tokens,
    turns.cache_write_tokens,
    turns.reasoning_tokens,
    turns.is_cache_in_input,
    {{ nano_to_usd('turns.list_cost_nano_usd') }} as list_cost_usd,
    {{ nano_to_usd('turns.reported_cost_nano_usd') }} as reported_cost_usd,
    turns.price_version,
    {{ nano_to_usd('turns.hold_nano_usd') }} as hold_usd,
    {{ ns_to_ms('turns.duration_ns') }} as duration_ms,
    turns.finish_reason,
    turns.error_type,
    turns.is_finished,
    turns.payload_id,
    runs.is_delegated,
    runs.is_demo,
    runs.recorded_via
from turns
inner join runs on runs.run_id = turns.run_id
