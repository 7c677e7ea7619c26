{# Rows whose word is not in the closed set of an event column; the sets come from ingest/events.py. #}
{% test contract_words(model, column_name, field) %}
select *
from {{ model }}
where {{ column_name }} is not null and {{ column_name }} not in (
    {% for word in contract_words_of(field) %}'{{ word }}'{{ ", " if not loop.last }}{% endfor %}
)
{% endtest %}
