{{ config(materialized='view') }}
with

source as (
    select * from {{ ref('stg_events_once') }}
),

events as (
    select
        event_id,
        event_type,
        is_demo,
        writer_id is not null as is_logged,
        occurred_at
    from source
    where event_type <> 'alias_declared'
)

select * from events
