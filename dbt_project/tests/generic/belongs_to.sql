{# Rows that name something which is not there; the first column may be null. #}
{% test belongs_to(model, to, columns) %}
select child.*
from {{ model }} as child
left join {{ to }} as parent
    on {% for column in columns %}{{ "and " if not loop.first }}parent.{{ column }} = child.{{ column }} {% endfor %}
where child.{{ columns[0] }} is not null and parent.{{ columns[0] }} is null
{% endtest %}
