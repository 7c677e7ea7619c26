{# Each writer in each month: no event says it happened after it was recorded, none was recorded backwards. #}
with

ordered as (
    select
        is_demo,
        -- what the demo plays back counts as recorded when it happened
        {{ month_of(local_date("case when recorded_via = 'demo' then occurred_at else recorded_at end")) }} as month_start_date,
        writer_id,
        recorded_via,
        {{ us_between('occurred_at', 'recorded_at') }} as late_us,
        {{ us_between('lag(recorded_at) over (partition by writer_id order by seq nulls last)', 'recorded_at') }} as step_us
    from {{ ref('stg_events__times') }}
),

writers as (
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
    group by is_demo, month_start_date, writer_id, recorded_via
)

select
{{ check_row(
    month='month_start_date', kind='writer', object="writer_id || ' ' || recorded_via",
    violation='future_count + backward_count + backdated_count > 0',
    detail="future_count || ' events from the future, ' || backward_count || ' recorded backwards, ' || backdated_count || ' backdated'",
    population='event_count',
) }}
from writers
