{# What every event says of its place in time, whatever it tells. #}
{{ config(materialized='view', meta={'by': 'run'}) }}
with

source as (
    select * from {{ ref('stg_events_once') }}
),

events as (
    select
        event_id,
        event_type,
        run_id,
        is_demo,
        writer_id is not null as is_logged,
        occurred_at
    from source
    where event_type <> 'alias_declared'
)

select * from events
