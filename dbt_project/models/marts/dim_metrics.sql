{#
  The metrics of _metrics.yml as rows: pages build their numbers from them, tooltips and analysts read them.
  A metric is written once, there.
#}
{% set columns = [
    'metric_id', 'label', 'unit', 'format', 'kind', 'fact', 'date_column', 'population', 'fleet_rule',
    'numerator', 'denominator', 'agent_numerator', 'agent_denominator', 'definition',
] %}
{% for metric in model.config.meta.metrics %}
select
    {% for column in columns %}
    {% if metric.get(column) is none %}cast(null as string){% else %}'{{ metric[column] | replace("'", "''") }}'{% endif %} as {{ column }},
    {% endfor %}
    cast({{ metric.minimum_count or 20 }} as bigint) as minimum_count,
    cast({{ loop.index }} as bigint) as position
{{ "union all" if not loop.last }}
{% endfor %}
