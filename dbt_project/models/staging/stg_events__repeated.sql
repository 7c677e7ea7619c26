{#
  Events that were delivered more than once, each as the row recorded first, with all else that was told of the
  same runs: who reads the log leaves these runs out by their id, which nearly everybody reads anyway.
  Each reading of the log stands for itself: a common table that two use would be held with all its columns.
#}
with

repeated as (
    select event_id
    from {{ source('log', 'events') }}
    group by event_id
    having count(*) > 1
),

concerned as (
    select distinct run_id
    from {{ source('log', 'events') }}
    where run_id is not null and event_id in (select event_id from repeated)
),

delivered as (
    select * from {{ source('log', 'events') }}
    where run_id in (select run_id from concerned)

    union all

    select * from {{ source('log', 'events') }}
    where run_id is null and event_id in (select event_id from repeated)
)

select *
from delivered
qualify row_number() over (
    partition by event_id
    order by recorded_at nulls last, writer_id nulls last, seq nulls last
) = 1
