{# How many decisions a reviewer made within one clock hour. #}
with

hours as (
    select
        is_demo,
        {{ month_of('decision_date') }} as month_start_date,
        decided_by,
        date_trunc('hour', decided_at) as hour_start_at,
        count(*) as decision_count
    from {{ ref('fct_approvals') }}
    where is_rated and decided_by is not null and decided_at is not null
    group by is_demo, {{ month_of('decision_date') }}, decided_by, date_trunc('hour', decided_at)
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
