{# Every event once, whatever was delivered twice. A view: each family reads its rows and columns only. #}
{{ config(materialized='view') }}
with

source as (
    select * from {{ source('log', 'events') }}
),

first_of_repeated as (
    select * from {{ ref('stg_events__repeated') }}
),

ids as (
    select event_id as repeated_id from first_of_repeated
)

select source.*
from source
left join ids on ids.repeated_id = source.event_id
where ids.repeated_id is null

union all

select * from first_of_repeated
