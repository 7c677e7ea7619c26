{# Once per event_id, whatever was delivered twice. A table: measured, every family view reads it. #}
{{ config(materialized='table') }}

with

source as (
    select * from {{ source('log', 'events') }}
),

deduplicated as (
    select * except (body, hash)
    from source
    qualify row_number() over (
        partition by event_id
        order by recorded_at nulls last, writer_id nulls last, seq nulls last
    ) = 1
)

select * from deduplicated
