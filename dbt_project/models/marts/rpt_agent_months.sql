select
    cast(date_trunc('month', run_date) as date) as month_start_date,
    team_id,
    agent_id,
    is_demo,
    is_delegated,
{% for name in [
    'runs', 'successes', 'clean', 'intervened', 'failed', 'cancelled', 'runs_cost_exact', 'runs_cost_floor',
    'runs_cost_unknown', 'tool_calls_executed', 'tool_errors', 'decisions', 'approvals_yes', 'runs_with_machine_ms',
] %}
    cast(sum({{ name }}) as bigint) as {{ name }},
{% endfor %}
{% for name in ['cost_usd', 'total_cost_usd', 'exact_cost_usd'] %}
    cast(sum({{ name }}) as decimal(18, 9)) as {{ name }},
{% endfor %}
    cast(sum(machine_ms_sum) as decimal(18, 6)) as machine_ms_sum
from {{ ref('rpt_agent_days') }}
group by cast(date_trunc('month', run_date) as date), team_id, agent_id, is_demo, is_delegated
