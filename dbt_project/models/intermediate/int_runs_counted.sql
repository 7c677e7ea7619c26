{# Turns, messages, tokens and tool calls of a run; null where the source reported none. #}
{{ config(meta={'by': 'run'}) }}
with

turns as (
    select * from {{ ref('int_turns_paired') }}
),

turn_counts as (
    select
        run_id,
        cast(count(distinct case when is_finished then turn_index end) as bigint) as turn_count,
        cast(count(case when is_finished and input_tokens is null and output_tokens is null then 1 end) as bigint)
            as turns_without_usage_count,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
        cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
        cast(sum(reasoning_tokens) as bigint) as reasoning_tokens,
        cast(count(case when is_finished and payload_id is not null then 1 end) as bigint) as turns_with_text_count,
        -- a sum with an unknown part is unknown
        case when count(case when is_finished then 1 end) = count(duration_ns) then cast(sum(duration_ns) as bigint) end
            as turn_duration_ns,
        min_by(requested_model, turn_index) as model_name,
        min_by(provider_name, turn_index) as provider_name
    from turns
    group by run_id
),

call_counts as (
    select
        run_id,
        cast(count(case when called_by = 'agent' then 1 end) as bigint) as tool_call_count,
        cast(count(case when called_by = 'agent' and is_executed then 1 end) as bigint) as executed_tool_call_count,
        cast(count(case when called_by = 'agent' and is_error then 1 end) as bigint) as tool_error_count,
        cast(count(case when called_by = 'agent' and finished_at is not null then 1 end) as bigint) as tool_result_count,
        cast(count(case when called_by <> 'agent' then 1 end) as bigint) as other_side_tool_call_count,
        cast(count(case when called_by <> 'agent' and is_error then 1 end) as bigint) as other_side_tool_error_count,
        case
            when count(case when is_executed then 1 end) = count(case when is_executed then duration_ns end)
                then cast(coalesce(sum(case when is_executed then duration_ns end), 0) as bigint)
        end as call_duration_ns
    from {{ ref('int_tool_calls_paired') }}
    group by run_id
),

message_counts as (
    select
        run_id,
        cast(count(case when message_role = 'user' then 1 end) as bigint) as user_message_count,
        cast(count(case when message_role = 'assistant' then 1 end) as bigint) as assistant_message_count,
        cast(count(case when message_role = 'tool' then 1 end) as bigint) as unmatched_result_count
    from {{ ref('stg_events__runs') }}
    where event_type = 'message_recorded'
    group by run_id
),

stated as (
    select * from {{ ref('int_runs_stated') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    runs.run_id,
    -- an outside source that gives no turns does not say that there were none
    case
        when stated.turn_count is not null then stated.turn_count
        when stated.is_turns_unstated then null
        when turn_counts.run_id is null and runs.is_from_outside then null
        else coalesce(turn_counts.turn_count, 0)
    end as turn_count,
    coalesce(turn_counts.turns_without_usage_count, 0) as turns_without_usage_count,
    coalesce(stated.user_message_count, message_counts.user_message_count, 0) as user_message_count,
    coalesce(
        stated.assistant_message_count,
        coalesce(message_counts.assistant_message_count, 0) + coalesce(turn_counts.turns_with_text_count, 0)
    ) as assistant_message_count,
    coalesce(
        stated.tool_result_count,
        coalesce(call_counts.tool_result_count, 0) + coalesce(message_counts.unmatched_result_count, 0)
    ) as tool_result_count,
    coalesce(message_counts.unmatched_result_count, 0) as unmatched_result_count,
{% for name in ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens'] %}
    coalesce(turn_counts.{{ name }}, stated.{{ name }}) as {{ name }},
{% endfor %}
    stated.total_tokens,
    coalesce(turn_counts.model_name, runs.requested_model) as model_name,
    coalesce(turn_counts.provider_name, runs.provider_name) as provider_name,
    coalesce(call_counts.tool_call_count, 0) as tool_call_count,
    case when not coalesce(stated.is_tool_errors_unstated, false) then coalesce(call_counts.executed_tool_call_count, 0) end
        as executed_tool_call_count,
    case when not coalesce(stated.is_tool_errors_unstated, false) then coalesce(call_counts.tool_error_count, 0) end
        as tool_error_count,
    case when not coalesce(stated.is_other_side_unstated, false) then coalesce(call_counts.other_side_tool_call_count, 0) end
        as other_side_tool_call_count,
    case when not coalesce(stated.is_other_side_unstated, false) then coalesce(call_counts.other_side_tool_error_count, 0) end
        as other_side_tool_error_count,
    case
        when stated.is_machine_time_unstated or (turn_counts.run_id is null and runs.is_from_outside) then null
        when call_counts.run_id is null then turn_counts.turn_duration_ns
        when turn_counts.run_id is null then call_counts.call_duration_ns
        else turn_counts.turn_duration_ns + call_counts.call_duration_ns
    end as summed_machine_ns
from runs
left join turn_counts on turn_counts.run_id = runs.run_id
left join call_counts on call_counts.run_id = runs.run_id
left join message_counts on message_counts.run_id = runs.run_id
left join stated on stated.run_id = runs.run_id
