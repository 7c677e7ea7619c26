{# What the source's own record of an imported run adds up to, and what it cannot say; where it grew, the newest. #}
{{ config(meta={'by': 'run'}) }}
with

counts as (
    select
        *,
        ';' || coalesce(unstated_counts, '') || ';' as unstated
    from {{ ref('stg_events__runs') }}
    where event_type = 'run_counted'
    qualify row_number() over (
        partition by run_id
        order by
            occurred_at desc nulls last,
            coalesce(turn_count, assistant_message_count) desc nulls last,
            recorded_at desc nulls last,
            event_id desc
    ) = 1
)

select
    run_id,
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
    unstated like '%;turns;%' as is_turns_unstated,
    unstated like '%;tool_errors;%' as is_tool_errors_unstated,
    unstated like '%;other_side_calls;%' as is_other_side_unstated,
    unstated like '%;approvals;%' as is_approvals_unstated,
    unstated like '%;machine_time;%' as is_machine_time_unstated
from counts
