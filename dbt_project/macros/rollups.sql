{# Sums of rpt_agent_days over a longer period; everything in it adds up. #}
{% macro agent_days_summed(period, name) %}
select
    {{ period }} as {{ name }},
    team_id,
    agent_id,
    is_demo,
    is_delegated,
{% for count in [
    'runs', 'successes', 'clean', 'intervened', 'failed', 'cancelled', 'runs_cost_exact', 'runs_cost_floor',
    'runs_cost_unknown', 'tool_calls_executed', 'tool_errors', 'decisions', 'approvals_yes', 'runs_with_machine_ms',
] %}
    cast(sum({{ count }}) as bigint) as {{ count }},
{% endfor %}
{% for cost in ['cost_usd', 'total_cost_usd', 'exact_cost_usd'] %}
    cast(sum({{ cost }}) as decimal(18, 9)) as {{ cost }},
{% endfor %}
    cast(sum(machine_ms_sum) as decimal(18, 6)) as machine_ms_sum
from {{ ref('rpt_agent_days') }}
group by {{ period }}, team_id, agent_id, is_demo, is_delegated
{% endmacro %}
