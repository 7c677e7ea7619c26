{# Events of each run, and of no run: how many, from when until when. #}
{{ config(meta={'by': 'run'}) }}
with

events as (
    select * from {{ ref('stg_events') }}
)

select
    run_id,
    is_demo,
    min(occurred_at) as data_from,
    max(occurred_at) as data_until,
    -- the log's and the product's own events keep the clock running, but are no news about agents
    max(
        case
            when event_type not in (
                'writer_opened', 'writer_closed', 'log_recovered', 'payload_erased', 'payload_read',
                'signed_in', 'export_created', 'action_refused'
            ) then occurred_at
        end
    ) as news_until,
    -- what the builder derives from stored spans is no event of the log
    cast(count(case when is_logged then 1 end) as bigint) as event_count
from events
group by run_id, is_demo
