{# Real and demo rows are two populations; each has its own clock, so that rebuilds of one log are equal. #}
with

events as (
    select * from {{ ref('base_events') }}
)

select
    is_demo,
    max(occurred_at) as data_until,
    cast(count(*) as bigint) as event_count
from events
group by is_demo
