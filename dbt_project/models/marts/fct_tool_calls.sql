{{ config(meta={'by': 'run', 'day': 'call_date'}) }}
with

calls as (
    select * from {{ ref('int_tool_calls_paired') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
),

-- a call may be asked for again when nobody decided in time
gates as (
    select
        run_id,
        call_index,
        min(case when decision in ('approved', 'approved_changed') then decided_at end) as approved_at
    from {{ ref('int_approvals_decided') }}
    where call_index is not null
    group by run_id, call_index
)

select
    calls.run_id,
    calls.call_index,
    calls.tool_call_id,
    runs.team_id,
    runs.agent_id,
    runs.agent_version,
    calls.turn_index,
    calls.tool_name,
    calls.tool_effect,
    calls.called_by,
    case when runs.is_time_known then calls.requested_at end as requested_at,
    case when runs.is_time_known then calls.finished_at end as finished_at,
    {{ local_date('coalesce(calls.finished_at, calls.requested_at)') }} as call_date,
    calls.tool_outcome,
    calls.tool_error_class,
    calls.error_type,
    calls.is_executed,
    calls.is_error,
    {{ ns_to_ms('calls.duration_ns') }} as duration_ms,
    calls.is_approval_needed,
    case when calls.is_approval_needed then gates.run_id is not null end as is_approval_asked,
    case
        when calls.is_approval_needed and calls.is_executed
            then coalesce(gates.approved_at <= coalesce(calls.finished_at, gates.approved_at), false)
    end as is_approval_obeyed,
    calls.approval_id,
    calls.arguments_digest,
    calls.arguments_payload_id,
    calls.result_payload_id,
    runs.is_delegated,
    runs.is_demo,
    runs.recorded_via
from calls
inner join runs on runs.run_id = calls.run_id
left join gates on gates.run_id = calls.run_id and gates.call_index = calls.call_index
