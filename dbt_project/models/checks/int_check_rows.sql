{# Every object that a check looked at; a check is a model named after its id. #}
{% set checks = [
    'HITL-01', 'HITL-02', 'HITL-03', 'HITL-04', 'HITL-06', 'HITL-07', 'HITL-08', 'HITL-12',
    'REC-01', 'REC-02', 'REC-03', 'REC-05',
] %}
{% for check in checks %}
select
    '{{ check }}' as check_id,
    *
from {{ ref('chk_' ~ check | lower | replace('-', '_')) }}
{{ "union all" if not loop.last }}
{% endfor %}
