{# The catalogue of _checks.yml as rows. #}
{% for check in model.config.meta.checks %}
select
    '{{ check.id }}' as check_id,
    '{{ check.id.split('-')[0] }}' as family,
    '{{ check.severity }}' as severity,
    '{{ check.title | replace("'", "''") }}' as title,
    '{{ check.clauses | replace("'", "''") }}' as clauses,
    '{{ check.remedy | replace("'", "''") }}' as remedy,
    {% if check.needs %}'{{ check.needs | replace("'", "''") }}'{% else %}cast(null as string){% endif %} as needs,
    cast({{ loop.index }} as bigint) as position
{{ "union all" if not loop.last }}
{% endfor %}
