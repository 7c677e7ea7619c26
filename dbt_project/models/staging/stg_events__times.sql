{# The two times of every event that the product itself recorded, and its place in its writer's chain. #}
{{ config(materialized='view') }}
with

source as (
    select * from {{ source('log', 'events') }}
),

times as (
    select
        event_id,
        event_type,
        run_id,
        agent_id,
        team_id,
        recorded_via,
        is_demo,
        writer_id,
        seq,
        occurred_at,
        recorded_at
    from source
    where writer_id is not null
)

select * from times
