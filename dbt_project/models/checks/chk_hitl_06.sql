{# Each reviewer with 20 decisions or more, alone or as one of two: median time to decide, share of approvals. #}
with

decisions as (
    select
        is_demo,
        month_start_date,
        decided_by,
        count(*) as decision_count,
        count(case when decision in ('approved', 'approved_changed') then 1 end) as yes_count,
        percentile_cont(0.5) within group (order by seconds_to_decide nulls last) as median_s
    from {{ ref('int_check_decisions') }}
    group by is_demo, month_start_date, decided_by
)

select
{{ check_row(
    month='month_start_date', kind='reviewer', object='decided_by',
    violation='median_s is null or median_s < ' ~ check_parameter('min_review_s')
        ~ ' or yes_count > ' ~ check_parameter('max_approve_rate') ~ ' * decision_count',
    detail="decided_by || ': ' || decision_count || ' decisions, ' || yes_count || ' approved, median ' || coalesce(cast(round(median_s, 1) as string), 'unknown') || ' s'",
    person='decided_by',
) }}
from decisions
where decision_count >= {{ check_parameter('min_decisions') }}
