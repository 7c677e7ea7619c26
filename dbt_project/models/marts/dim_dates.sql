{% set digits = range(10) %}
with

spans as (
    select
        is_demo,
        {{ local_date('data_from') }} as first_date,
        {{ local_date('data_until') }} as last_date
    from {{ ref('int_populations_counted') }}
),

digits as (
{% for digit in digits %}
    select {{ digit }} as digit{{ '' if loop.last else ' union all' }}
{% endfor %}
),

-- the newest 10,000 days: 27 years
numbers as (
    select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit as number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
),

days as (
    select
        cast(spans.last_date - numbers.number as date) as calendar_date,
        spans.is_demo
    from spans
    inner join numbers on cast(spans.last_date - numbers.number as date) >= spans.first_date
)

select
    calendar_date,
    {{ week_of('calendar_date') }} as week_start_date,
    {{ month_of('calendar_date') }} as month_start_date,
    {{ quarter_of('calendar_date') }} as quarter_start_date,
    cast(date_trunc('year', calendar_date) as date) as year_start_date,
    calendar_date >= {{ week_of('calendar_date') }} + 5 as is_weekend,
    is_demo
from days
