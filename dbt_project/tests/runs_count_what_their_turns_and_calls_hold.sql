-- Would have caught: tokens of a retry that are in the run but not in its turns, or the user's calls counted as the agent's.
with

turns as (
    select
        run_id,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens
    from {{ ref('fct_turns') }}
    group by run_id
),

calls as (
    select
        run_id,
        count(case when called_by = 'agent' then 1 end) as tool_call_count,
        count(case when called_by = 'agent' and is_error then 1 end) as tool_error_count
    from {{ ref('fct_tool_calls') }}
    group by run_id
)

select runs.run_id
from {{ ref('fct_runs') }} as runs
left join turns on turns.run_id = runs.run_id
left join calls on calls.run_id = runs.run_id
where
    -- a source may state totals of a run alone
    runs.input_tokens is distinct from coalesce(turns.input_tokens, runs.input_tokens)
    or runs.output_tokens is distinct from coalesce(turns.output_tokens, runs.output_tokens)
    or runs.tool_call_count <> coalesce(calls.tool_call_count, 0)
    or runs.tool_error_count <> coalesce(calls.tool_error_count, 0)
    or runs.tool_error_count > runs.executed_tool_call_count
