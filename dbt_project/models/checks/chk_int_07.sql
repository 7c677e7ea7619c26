{# Each recovered writer that lost bytes has an explanation by a person. #}
with

explained as (
    select distinct recovered_writer_id
    from {{ ref('stg_events__assurance') }}
    where event_type = 'recovery_explained'
),

recovered as (
    select
        events.is_demo,
        {{ month_of(local_date('events.occurred_at')) }} as month_start_date,
        events.event_id,
        coalesce(events.recovered_writer_id, events.event_id) as writer_id,
        coalesce(events.torn_bytes, 0) as torn_bytes,
        explained.recovered_writer_id is not null as is_explained
    from {{ ref('stg_events__assurance') }} as events
    left join explained on explained.recovered_writer_id = events.recovered_writer_id
    where events.event_type = 'log_recovered'
)

select
{{ check_row(
    month='month_start_date', kind='writer', object='writer_id',
    violation='not is_explained',
    detail="'recovered, ' || torn_bytes || ' bytes set aside, and nobody explained why'",
    event='event_id',
) }}
from recovered
