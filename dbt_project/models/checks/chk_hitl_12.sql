{# How many decisions a reviewer made within one clock hour, alone or as one of two. #}
with

hours as (
    select
        is_demo,
        month_start_date,
        decided_by,
        date_trunc('hour', decided_at) as hour_start_at,
        count(*) as decision_count
    from {{ ref('int_check_decisions') }}
    where decided_at is not null
    group by is_demo, month_start_date, decided_by, date_trunc('hour', decided_at)
),

busiest as (
    select
        is_demo,
        month_start_date,
        decided_by,
        max(decision_count) as decision_count
    from hours
    group by is_demo, month_start_date, decided_by
)

select
{{ check_row(
    month='month_start_date', kind='reviewer', object='decided_by',
    violation='decision_count > ' ~ check_parameter('max_decisions_hour'),
    detail="decided_by || ' decided ' || decision_count || ' requests within one hour'",
    person='decided_by',
) }}
from busiest
