{# Every event once, whatever was delivered twice. A view: each family reads its rows and columns only. #}
{{ config(materialized='view') }}
with

sorted_out as (
    select * from {{ ref('stg_events__repeated') }}
),

runs as (
    select distinct run_id as sorted_run_id from sorted_out
    where run_id is not null
),

ids as (
    select event_id as sorted_id from sorted_out
)

select of_runs.*
from {{ source('log', 'events') }} as of_runs
left join runs on runs.sorted_run_id = of_runs.run_id
where of_runs.run_id is not null and runs.sorted_run_id is null

union all

select of_none.*
from {{ source('log', 'events') }} as of_none
left join ids on ids.sorted_id = of_none.event_id
where of_none.run_id is null and ids.sorted_id is null

union all

select * from sorted_out
