{#
  What each writer recorded in each month, and how the two times of its events disagree. Each event is looked
  at once, when it arrives: the last one before it is there for the comparison only.
#}
{{ config(materialized='table', meta={'by': 'arrival'}) }}
with

ordered as (
    select
        is_demo,
        is_arrived,
        -- what the demo plays back counts as recorded when it happened
        {{ month_of(local_date("case when recorded_via = 'demo' then occurred_at else recorded_at end")) }} as month_start_date,
        writer_id,
        recorded_via,
        {{ us_between('occurred_at', 'recorded_at') }} as late_us,
        {{ us_between('lag(recorded_at) over (partition by writer_id order by seq nulls last)', 'recorded_at') }} as step_us
    from {{ source('log', 'arrivals') }}
    where writer_id is not null
)

select
    is_demo,
    month_start_date,
    writer_id,
    recorded_via,
    cast(count(*) as bigint) as event_count,
    count(case when late_us < -cast(1000000 as bigint) * {{ check_parameter('max_clock_skew_s') }} then 1 end) as future_count,
    count(case when step_us < 0 then 1 end) as backward_count,
    -- the runner tells what happens; what comes in from outside or is played back says when it happened
    count(case
        when recorded_via in ('runner', 'app') and late_us > cast(1000000 as bigint) * {{ check_parameter('max_record_delay_s') }} then 1
    end) as backdated_count
from ordered
where is_arrived
group by is_demo, month_start_date, writer_id, recorded_via
