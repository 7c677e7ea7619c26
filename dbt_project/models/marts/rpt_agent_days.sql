with

runs as (
    select
        *,
        cast(machine_ms as double) as machine_time,
        cast(end_to_end_ms as double) as end_to_end_time
    from {{ ref('fct_runs') }}
    where is_terminal
),

calls as (
    select * from {{ ref('fct_tool_calls') }}
    where called_by = 'agent' and is_executed
),

decisions as (
    select * from {{ ref('fct_approvals') }}
    where is_rated
),

run_days as (
    select
        run_date, team_id, agent_id, is_demo, is_delegated,
        count(*) as runs,
        count(case when is_success then 1 end) as successes,
        count(case when outcome = 'clean' then 1 end) as clean,
        count(case when outcome = 'intervened' then 1 end) as intervened,
        count(case when outcome = 'failed' then 1 end) as failed,
        count(case when outcome = 'cancelled' then 1 end) as cancelled,
        sum(cost_usd) as cost_usd,
        sum(total_cost_usd) as total_cost_usd,
        count(case when cost_status = 'exact' then 1 end) as runs_cost_exact,
        count(case when cost_status = 'floor' then 1 end) as runs_cost_floor,
        count(case when cost_status = 'unknown' then 1 end) as runs_cost_unknown,
        sum(case when cost_status = 'exact' then cost_usd end) as exact_cost_usd,
        sum(case when total_cost_status = 'exact' then total_cost_usd end) as exact_total_cost_usd,
        count(case when total_cost_status = 'exact' then 1 end) as runs_total_cost_exact,
        sum(intervention_count) as interventions,
        count(case when is_approved_run then 1 end) as approved_runs,
        count(case when is_success and approval_count = 0 then 1 end) as hands_off_runs,
        count(approval_count) as runs_with_known_approvals,
        count(case when tool_error_count > 0 then 1 end) as runs_with_tool_error,
        count(tool_error_count) as runs_with_known_tool_errors,
        sum(machine_ms) as machine_ms_sum,
        count(machine_ms) as runs_with_machine_ms,
        percentile_cont(0.95) within group (order by machine_time nulls last) as machine_p95_ms,
        percentile_cont(0.95) within group (order by end_to_end_time nulls last) as end_to_end_p95_ms,
        count(end_to_end_ms) as runs_with_end_to_end_ms
    from runs
    group by run_date, team_id, agent_id, is_demo, is_delegated
),

call_days as (
    select
        call_date as run_date, team_id, agent_id, is_demo, is_delegated,
        count(*) as tool_calls_executed,
        count(case when is_error then 1 end) as tool_errors
    from calls
    group by call_date, team_id, agent_id, is_demo, is_delegated
),

decision_days as (
    select
        decision_date as run_date, team_id, agent_id, is_demo, is_delegated,
        count(*) as decisions,
        count(case when decision in ('approved', 'approved_changed') then 1 end) as approvals_yes
    from decisions
    group by decision_date, team_id, agent_id, is_demo, is_delegated
),

keys as (
    select run_date, team_id, agent_id, is_demo, is_delegated from run_days
    union
    select run_date, team_id, agent_id, is_demo, is_delegated from call_days
    union
    select run_date, team_id, agent_id, is_demo, is_delegated from decision_days
)

select
    keys.run_date,
    keys.team_id,
    keys.agent_id,
    keys.is_demo,
    keys.is_delegated,
{% for name in ['runs', 'successes', 'clean', 'intervened', 'failed', 'cancelled'] %}
    cast(coalesce(run_days.{{ name }}, 0) as bigint) as {{ name }},
{% endfor %}
    cast(run_days.cost_usd as decimal(18, 9)) as cost_usd,
    cast(run_days.total_cost_usd as decimal(18, 9)) as total_cost_usd,
    cast(run_days.exact_cost_usd as decimal(18, 9)) as exact_cost_usd,
    cast(run_days.exact_total_cost_usd as decimal(18, 9)) as exact_total_cost_usd,
{% for name in [
    'runs_cost_exact', 'runs_cost_floor', 'runs_cost_unknown', 'runs_total_cost_exact', 'interventions', 'approved_runs',
    'hands_off_runs', 'runs_with_known_approvals', 'runs_with_tool_error', 'runs_with_known_tool_errors',
] %}
    cast(coalesce(run_days.{{ name }}, 0) as bigint) as {{ name }},
{% endfor %}
    cast(coalesce(call_days.tool_calls_executed, 0) as bigint) as tool_calls_executed,
    cast(coalesce(call_days.tool_errors, 0) as bigint) as tool_errors,
    cast(coalesce(decision_days.decisions, 0) as bigint) as decisions,
    cast(coalesce(decision_days.approvals_yes, 0) as bigint) as approvals_yes,
    cast(run_days.machine_ms_sum as decimal(18, 6)) as machine_ms_sum,
    cast(coalesce(run_days.runs_with_machine_ms, 0) as bigint) as runs_with_machine_ms,
    cast(run_days.machine_p95_ms as decimal(18, 6)) as machine_p95_ms,
    cast(run_days.end_to_end_p95_ms as decimal(18, 6)) as end_to_end_p95_ms,
    cast(coalesce(run_days.runs_with_end_to_end_ms, 0) as bigint) as runs_with_end_to_end_ms
from keys
{% for side in ['run_days', 'call_days', 'decision_days'] %}
left join {{ side }}
    on
        {{ side }}.run_date = keys.run_date
        and {{ side }}.team_id is not distinct from keys.team_id
        and {{ side }}.agent_id is not distinct from keys.agent_id
        and {{ side }}.is_demo = keys.is_demo
        and {{ side }}.is_delegated = keys.is_delegated
{% endfor %}
