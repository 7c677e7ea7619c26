{#
  What each check looked at, a check being a model named after its id: each object that breaks the rule, and
  the others counted per month, agent and team.
#}
{{ config(materialized='table') }}
{% set checks = [
    'INT-06', 'INT-07',
    'REC-01', 'REC-02', 'REC-03', 'REC-04', 'REC-05', 'REC-06',
    'HITL-01', 'HITL-02', 'HITL-03', 'HITL-04', 'HITL-05', 'HITL-06', 'HITL-07', 'HITL-08', 'HITL-09', 'HITL-10',
    'HITL-11', 'HITL-12',
    'GOV-01', 'GOV-02', 'GOV-03', 'GOV-04', 'GOV-05', 'GOV-06', 'GOV-07', 'GOV-08',
    'INC-01', 'INC-02', 'RET-03', 'RET-04', 'ACC-01', 'META-01',
] %}
{% set told = ['object_kind', 'object_id', 'run_id', 'person_id', 'event_id', 'detail'] %}
{% for check in checks %}
select
    '{{ check }}' as check_id,
    is_demo,
    month_start_date,
    agent_id,
    team_id,
    is_violation,
{% for name in told %}
    case when is_violation then {{ name }} end as {{ name }},
{% endfor %}
    cast(sum(population) as bigint) as population,
    cast(count(*) as bigint) as row_count
from {{ ref('chk_' ~ check | lower | replace('-', '_')) }}
group by
    is_demo, month_start_date, agent_id, team_id, is_violation
{% for name in told %}
    , case when is_violation then {{ name }} end
{% endfor %}
{{ "union all" if not loop.last }}
{% endfor %}
