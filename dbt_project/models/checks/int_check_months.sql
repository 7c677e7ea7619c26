{# The months in which anything ran, with the instant at which each was over. #}
{{ config(materialized='table') }}
with

days as (
    select distinct
        is_demo,
        {{ month_of('run_date') }} as month_start_date
    from {{ ref('fct_runs') }}
    where run_date is not null
)

select
    is_demo,
    month_start_date,
    {{ instant_of("cast(month_start_date + interval '1' month as timestamp)") }} as month_end_at
from days
