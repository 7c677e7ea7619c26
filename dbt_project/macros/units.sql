{# Exact conversions: integers in the log, decimals in the marts, never a double on the way. #}

{% macro nano_to_usd(nano) %}cast(cast({{ nano }} as decimal(18, 0)) * cast(0.000000001 as decimal(10, 9)) as decimal(18, 9)){% endmacro %}

{# Back to the integer, exactly. #}
{% macro usd_to_nano(usd) %}cast(cast({{ usd }} as decimal(28, 9)) * cast(1000000000 as decimal(10, 0)) as bigint){% endmacro %}

{% macro ns_to_ms(nanoseconds) %}cast(cast({{ nanoseconds }} as decimal(18, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6)){% endmacro %}

{% macro us_to_ms(microseconds) %}cast(cast({{ microseconds }} as decimal(18, 0)) * cast(0.001 as decimal(4, 3)) as decimal(18, 6)){% endmacro %}

{% macro us_to_s(microseconds) %}cast(cast({{ microseconds }} as decimal(18, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6)){% endmacro %}

{# Microseconds from one instant to a later one. #}
{% macro us_between(earlier, later) %}({{ epoch_us(later) }} - {{ epoch_us(earlier) }}){% endmacro %}

{# Every ratio of integers: rounded half up to six decimals, null when the divisor is 0 or unknown. #}
{% macro ratio(numerator, denominator) %}cast(cast({{ int_div('2000000 * cast(' ~ numerator ~ ' as decimal(38, 0)) + (' ~ denominator ~ ')', '2 * cast(' ~ denominator ~ ' as decimal(38, 0))') }} as decimal(18, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6)){% endmacro %}
