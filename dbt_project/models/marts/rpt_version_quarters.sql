with

runs as (
    select
        *,
        {{ quarter_of('run_date') }} as quarter_start_date
    from {{ ref('fct_runs') }}
    where is_terminal and agent_id is not null
),

calls as (
    select
        *,
        {{ quarter_of('call_date') }} as quarter_start_date
    from {{ ref('fct_tool_calls') }}
    where called_by = 'agent' and is_executed and agent_id is not null
),

run_quarters as (
    select
        agent_id, agent_version, is_demo, quarter_start_date,
        count(*) as runs,
        count(case when is_success then 1 end) as successes,
        count(case when outcome = 'intervened' then 1 end) as intervened,
        count(case when outcome = 'failed' then 1 end) as failed,
        count(case when outcome = 'cancelled' then 1 end) as cancelled,
        sum(cost_usd) as cost_usd,
        count(case when cost_status = 'exact' then 1 end) as runs_cost_exact,
        sum(case when cost_status = 'exact' then cost_usd end) as exact_cost_usd,
        min(run_date) as first_run_date,
        max(run_date) as last_run_date
    from runs
    group by agent_id, agent_version, is_demo, quarter_start_date
),

call_quarters as (
    select
        agent_id, agent_version, is_demo, quarter_start_date,
        count(*) as tool_calls_executed,
        count(case when is_error then 1 end) as tool_errors
    from calls
    group by agent_id, agent_version, is_demo, quarter_start_date
),

keys as (
    select agent_id, agent_version, is_demo, quarter_start_date from run_quarters
    union
    select agent_id, agent_version, is_demo, quarter_start_date from call_quarters
)

select
    keys.agent_id,
    keys.agent_version,
    agents.team_id,
    keys.is_demo,
    keys.quarter_start_date,
{% for name in ['runs', 'successes', 'intervened', 'failed', 'cancelled', 'runs_cost_exact'] %}
    cast(coalesce(run_quarters.{{ name }}, 0) as bigint) as {{ name }},
{% endfor %}
    cast(run_quarters.cost_usd as decimal(18, 9)) as cost_usd,
    cast(run_quarters.exact_cost_usd as decimal(18, 9)) as exact_cost_usd,
    cast(coalesce(call_quarters.tool_calls_executed, 0) as bigint) as tool_calls_executed,
    cast(coalesce(call_quarters.tool_errors, 0) as bigint) as tool_errors,
    run_quarters.first_run_date,
    run_quarters.last_run_date
from keys
inner join {{ ref('dim_agents') }} as agents on agents.agent_id = keys.agent_id and agents.is_demo = keys.is_demo
{% for side in ['run_quarters', 'call_quarters'] %}
left join {{ side }}
    on
        {{ side }}.agent_id = keys.agent_id
        and {{ side }}.agent_version is not distinct from keys.agent_version
        and {{ side }}.is_demo = keys.is_demo
        and {{ side }}.quarter_start_date = keys.quarter_start_date
{% endfor %}
