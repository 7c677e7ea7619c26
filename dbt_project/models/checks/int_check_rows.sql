{# Every object that a check looked at; a check is a model named after its id. #}
{% set checks = [
    'INT-06', 'INT-07',
    'REC-01', 'REC-02', 'REC-03', 'REC-04', 'REC-05', 'REC-06',
    'HITL-01', 'HITL-02', 'HITL-03', 'HITL-04', 'HITL-05', 'HITL-06', 'HITL-07', 'HITL-08', 'HITL-09', 'HITL-10',
    'HITL-11', 'HITL-12',
    'GOV-01', 'GOV-02', 'GOV-03', 'GOV-04', 'GOV-05', 'GOV-06', 'GOV-07', 'GOV-08',
    'INC-01', 'INC-02', 'RET-03', 'RET-04', 'ACC-01', 'META-01',
] %}
{% for check in checks %}
select
    '{{ check }}' as check_id,
    *
from {{ ref('chk_' ~ check | lower | replace('-', '_')) }}
{{ "union all" if not loop.last }}
{% endfor %}
