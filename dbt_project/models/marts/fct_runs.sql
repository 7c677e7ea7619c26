{{ config(meta={'by': 'run', 'day': 'run_date'}) }}
with found as (
    select * from {{ ref('int_runs_found') }}
),

timed as (
    select * from {{ ref('int_runs_timed') }}
),

judged as (
    select * from {{ ref('int_runs_judged') }}
),

counted as (
    select * from {{ ref('int_runs_counted') }}
),

costed as (
    select * from {{ ref('int_runs_costed') }}
),

joined as (
    select
        found.* except (provider_name),
        timed.* except (run_id),
        judged.* except (run_id),
        counted.* except (run_id),
        costed.* except (run_id),
        totalled.delegated_run_count,
        totalled.total_cost_nano_usd,
        totalled.total_cost_status,
        timed.run_status = 'ended' as is_terminal,
        case
            when timed.run_status <> 'ended' then null
            when timed.end_state in ('cancelled', 'expired_waiting') then 'cancelled'
            when judged.is_completed and judged.intervention_count = 0 then 'clean'
            when judged.is_completed then 'intervened'
            else 'failed'
        end as outcome
    from found
    inner join timed on timed.run_id = found.run_id
    inner join judged on judged.run_id = found.run_id
    inner join counted on counted.run_id = found.run_id
    inner join costed on costed.run_id = found.run_id
    left join {{ ref('int_runs_totalled') }} as totalled
        on totalled.run_id = found.run_id and not found.is_delegated
)

select
    run_id,
    parent_run_id,
    root_run_id,
    conversation_id,
    team_id,
    agent_id,
    agent_version,
    actor_id,
    trigger_kind, trial_id, trial_arm,
    recorded_via,
    source_file,
    source_run_id,
    source_task_id,
    source_agent,
    source_domain,
    is_demo,
    is_delegated,
    is_time_known,
    requested_at,
    started_at,
    ended_at,
    {{ local_date('placed_at') }} as run_date,
    run_status,
    end_state,
    outcome,
    is_terminal,
    coalesce(outcome = 'clean', false) as is_success,
    has_verdict,
    is_verdict_good,
    score_micro,
    is_violation,
    intervention_count,
    is_approved_run,
    model_name,
    provider_name,
    turn_count,
    user_message_count,
    assistant_message_count,
    tool_call_count,
    tool_result_count,
    unmatched_result_count,
    executed_tool_call_count,
    tool_error_count,
    other_side_tool_call_count,
    other_side_tool_error_count,
    approval_count,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    total_tokens,
    turns_without_usage_count,
    {{ nano_to_usd('list_cost_nano_usd') }} as list_cost_usd,
    {{ nano_to_usd('reported_cost_nano_usd') }} as reported_cost_usd,
    {{ nano_to_usd('other_side_cost_nano_usd') }} as other_side_cost_usd,
    {{ nano_to_usd('cost_nano_usd') }} as cost_usd,
    cost_status,
    {{ nano_to_usd('total_cost_nano_usd') }} as total_cost_usd,
    total_cost_status,
    coalesce(delegated_run_count, 0) as delegated_run_count,
    {{ ns_to_ms('coalesce(machine_ns, summed_machine_ns)') }} as machine_ms,
    {{ us_to_ms('end_to_end_us') }} as end_to_end_ms,
    {{ us_to_ms('waiting_us') }} as waiting_ms,
    {{ us_to_ms('queue_us') }} as queue_ms,
    error_type,
    source_end_reason,
    declared_event_count,
    event_count
from joined
