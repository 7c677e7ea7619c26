{# Every word that DuckDB and Spark spell differently lives here, once per engine. #}

{% macro company_time_zone() %}{{ return(env_var('FLEETBOOK_TIME_ZONE', 'UTC')) }}{% endmacro %}

{# Whole microseconds since 1970-01-01 UTC. #}
{% macro epoch_us(moment) %}{{ return(adapter.dispatch('epoch_us', 'fleetbook')(moment)) }}{% endmacro %}
{% macro default__epoch_us(moment) %}epoch_us({{ moment }}){% endmacro %}
{% macro spark__epoch_us(moment) %}unix_micros({{ moment }}){% endmacro %}

{# Integer quotient; null when the divisor is 0. #}
{% macro int_div(dividend, divisor) %}{{ return(adapter.dispatch('int_div', 'fleetbook')(dividend, divisor)) }}{% endmacro %}
{% macro default__int_div(dividend, divisor) %}(cast({{ dividend }} as hugeint) // nullif(cast({{ divisor }} as hugeint), 0)){% endmacro %}
{% macro spark__int_div(dividend, divisor) %}(cast({{ dividend }} as decimal(38, 0)) div nullif(cast({{ divisor }} as decimal(38, 0)), 0)){% endmacro %}

{# The wall clock of the company at an instant, as a timestamp without zone. #}
{% macro local_time(moment) %}{{ return(adapter.dispatch('local_time', 'fleetbook')(moment)) }}{% endmacro %}
{% macro default__local_time(moment) %}timezone('{{ company_time_zone() }}', {{ moment }}){% endmacro %}
{% macro spark__local_time(moment) %}from_utc_timestamp({{ moment }}, '{{ company_time_zone() }}'){% endmacro %}

{# The instant at which the company's wall clock shows a timestamp without zone. #}
{% macro instant_of(wall_clock) %}{{ return(adapter.dispatch('instant_of', 'fleetbook')(wall_clock)) }}{% endmacro %}
{% macro default__instant_of(wall_clock) %}timezone('{{ company_time_zone() }}', {{ wall_clock }}){% endmacro %}
{% macro spark__instant_of(wall_clock) %}to_utc_timestamp({{ wall_clock }}, '{{ company_time_zone() }}'){% endmacro %}

{% macro local_date(moment) %}cast({{ local_time(moment) }} as date){% endmacro %}

{# First day of the month of a day. #}
{% macro month_of(day) %}cast(date_trunc('month', {{ day }}) as date){% endmacro %}

{# The day of UTC of an instant: what model providers count in. Spark's session runs in UTC. #}
{% macro utc_date(moment) %}{{ return(adapter.dispatch('utc_date', 'fleetbook')(moment)) }}{% endmacro %}
{% macro default__utc_date(moment) %}cast(timezone('UTC', {{ moment }}) as date){% endmacro %}
{% macro spark__utc_date(moment) %}cast({{ moment }} as date){% endmacro %}

{# A model's name without the date of its release: a log says gpt-4.1, the provider gpt-4.1-2025-04-14. #}
{% macro model_family(name) %}{{ return(adapter.dispatch('model_family', 'fleetbook')(name)) }}{% endmacro %}
{% macro default__model_family(name) %}regexp_replace(lower({{ name }}), '[-@](20[0-9]{2}-?[01][0-9]-?[0-3][0-9]|latest)$', ''){% endmacro %}
{% macro spark__model_family(name) %}regexp_replace(lower({{ name }}), '[-@](20[0-9]{2}-?[01][0-9]-?[0-3][0-9]|latest)$', ''){% endmacro %}

{# Monday of the week of a day, and first day of its quarter. #}
{% macro week_of(day) %}cast(date_trunc('week', {{ day }}) as date){% endmacro %}
{% macro quarter_of(day) %}cast(date_trunc('quarter', {{ day }}) as date){% endmacro %}
