{# Every event once, whatever was delivered twice. A view: each family reads its rows and columns only. #}
{{ config(materialized='view') }}
with

sorted_out as (
    select * from {{ ref('stg_events__repeated') }}
)

select * from {{ ref('stg_events_in_runs') }}

union all

select source.*
from {{ source('log', 'events') }} as source
left join sorted_out on sorted_out.event_id = source.event_id
where source.run_id is null and sorted_out.event_id is null

union all

select * from sorted_out
where run_id is null
