-- Would have caught: a week cut in another zone than its days, and sums that lose rows without a model or a tool.
{% set reports = {
    'model': ['charges', 'charges_cost_unknown', 'coalesce(input_tokens, 0)', 'coalesce(cost_usd, 0)'],
    'tool': ['tool_calls', 'tool_calls_executed', 'tool_errors', 'coalesce(duration_ms_sum, 0)'],
    'agent': ['runs', 'successes', 'interventions', 'coalesce(exact_total_cost_usd, 0)'],
} %}
with

summed as (
{% for report, sums in reports.items() %}
{% for period in ['days', 'weeks', 'months'] %}
    select
        '{{ report }}' as report,
        '{{ period }}' as period,
        is_demo,
{% for sum in sums %}
        sum({{ sum }}) as sum_{{ loop.index }}{{ ',' if not loop.last }}
{% endfor %}
    from {{ ref('rpt_' ~ report ~ '_' ~ period) }}
    group by is_demo
{{ '    union all' if not loop.last }}
{% endfor %}
{{ '    union all' if not loop.last }}
{% endfor %}
)

select
    report,
    is_demo,
    count(*) as periods
from summed
group by report, is_demo
having
    count(*) <> 3
{% for number in range(1, 5) %}
    or min(sum_{{ number }}) <> max(sum_{{ number }})
{% endfor %}
