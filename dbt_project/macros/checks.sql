{#
  What every check answers: one row per object it looked at, or per group of objects (population), with the
  month it belongs to, whether it breaks the rule (is_violation), and why in words.
#}
{% macro check_row(month, kind, object, violation, detail, agent='null', team='null', run='null', person='null', event='null', population='1') %}
    is_demo,
    {{ month }} as month_start_date,
    '{{ kind }}' as object_kind,
    cast({{ object }} as string) as object_id,
    cast({{ agent }} as string) as agent_id,
    cast({{ team }} as string) as team_id,
    cast({{ run }} as string) as run_id,
    cast({{ person }} as string) as person_id,
    cast({{ event }} as string) as event_id,
    cast({{ population }} as bigint) as population,
    coalesce({{ violation }}, false) as is_violation,
    cast({{ detail }} as string) as detail
{% endmacro %}

{# A threshold of the checks: parameters.yml, or what the workspace sets instead. #}
{% macro check_parameter(name) %}{{ return(fromjson(env_var('FLEETBOOK_CHECK_PARAMETERS', '{}')).get(name, var('check_parameters')[name])) }}{% endmacro %}
