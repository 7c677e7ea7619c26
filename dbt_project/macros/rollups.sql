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
    'runs_total_cost_exact', 'interventions', 'approved_runs', 'hands_off_runs',
    'runs_with_known_approvals', 'runs_with_tool_error', 'runs_with_known_tool_errors',
] %}
    cast(sum({{ count }}) as bigint) as {{ count }},
{% endfor %}
{% for cost in ['cost_usd', 'total_cost_usd', 'exact_cost_usd', 'exact_total_cost_usd'] %}
    cast(sum({{ cost }}) as decimal(18, 9)) as {{ cost }},
{% endfor %}
    cast(sum(machine_ms_sum) as decimal(18, 6)) as machine_ms_sum
from {{ ref('rpt_agent_days') }}
group by {{ period }}, team_id, agent_id, is_demo, is_delegated
{% endmacro %}

{# Sums of rpt_model_days and rpt_tool_days over a longer period. #}
{% macro model_days_summed(period, name) %}
select
    {{ period }} as {{ name }},
    team_id, agent_id, provider_name, model_name, is_demo, is_delegated,
{% for count in ['charges', 'charges_cost_unknown', 'input_tokens', 'output_tokens'] %}
    cast(sum({{ count }}) as bigint) as {{ count }},
{% endfor %}
    cast(sum(list_cost_usd) as decimal(18, 9)) as list_cost_usd,
    cast(sum(cost_usd) as decimal(18, 9)) as cost_usd
from {{ ref('rpt_model_days') }}
group by {{ period }}, team_id, agent_id, provider_name, model_name, is_demo, is_delegated
{% endmacro %}

{% macro tool_days_summed(period, name) %}
select
    {{ period }} as {{ name }},
    team_id, agent_id, tool_name, is_demo, is_delegated,
{% for count in [
    'tool_calls', 'tool_calls_executed', 'tool_errors', 'tool_calls_refused', 'tool_calls_denied',
    'tool_calls_with_duration',
] %}
    cast(sum({{ count }}) as bigint) as {{ count }},
{% endfor %}
    cast(sum(duration_ms_sum) as decimal(18, 6)) as duration_ms_sum
from {{ ref('rpt_tool_days') }}
group by {{ period }}, team_id, agent_id, tool_name, is_demo, is_delegated
{% endmacro %}
