{# Each writer in each month: no event says it happened after it was recorded, none was recorded backwards. #}
with

writers as (
    select
        is_demo,
        month_start_date,
        writer_id,
        recorded_via,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(future_count) as bigint) as future_count,
        cast(sum(backward_count) as bigint) as backward_count,
        cast(sum(backdated_count) as bigint) as backdated_count
    from {{ ref('int_check_writers') }}
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
