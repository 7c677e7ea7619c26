{# Real and demo rows are two populations; each has its own clock, so that rebuilds of one log are equal. #}
with

events as (
    select * from {{ ref('int_events_counted') }}
)

select
    is_demo,
    min(data_from) as data_from,
    max(data_until) as data_until,
    max(news_until) as news_until,
    cast(sum(event_count) as bigint) as event_count
from events
group by is_demo
