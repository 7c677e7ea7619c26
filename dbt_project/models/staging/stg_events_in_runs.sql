{#
  Every event of a run once. For families whose types all name a run: they need not look for the others' rows.
#}
{{ config(materialized='view') }}
with

sorted_out as (
    select * from {{ ref('stg_events__repeated') }}
    where run_id is not null
),

runs as (
    select distinct run_id as sorted_run_id from sorted_out
)

select source.*
from {{ source('log', 'events') }} as source
left join runs on runs.sorted_run_id = source.run_id
where source.run_id is not null and runs.sorted_run_id is null

union all

select * from sorted_out
