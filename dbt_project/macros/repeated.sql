{#
  Of the rows of a relation with equal keys the first in an order. Hardly any key is there twice, so that only
  those are sorted: a window over all rows costs three times as much. Two parts: `repeated_keys` finds them, once
  for all conditions, and `first_by_key` asks the common table that holds them.
#}
{% macro repeated_keys(relation, keys, condition='true') %}
    select {{ keys | join(', ') }}, count(*) as row_count
    from {{ relation }}
    where {{ condition }}
    group by {{ keys | join(', ') }}
    having count(*) > 1
{% endmacro %}

{% macro first_by_key(relation, repeated, condition, keys, order) %}
    select kept.*
    from {{ relation }} as kept
    left join {{ repeated }} as repeated on {{ same_keys('kept', keys) }}
    where kept.{{ condition }} and repeated.row_count is null

    union all

    select several.*
    from {{ relation }} as several
    inner join {{ repeated }} as repeated on {{ same_keys('several', keys) }}
    where several.{{ condition }}
    qualify row_number() over (
        partition by {% for key in keys %}several.{{ key }}{{ ', ' if not loop.last }}{% endfor %}

        order by {% for word in order %}several.{{ word }}{{ ', ' if not loop.last }}{% endfor %}

    ) = 1
{% endmacro %}

{% macro same_keys(name, keys) %}
{% for key in keys %}repeated.{{ key }} is not distinct from {{ name }}.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
{% endmacro %}
