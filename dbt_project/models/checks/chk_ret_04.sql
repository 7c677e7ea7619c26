{# Each month: a restore of the off-host copy was verified in its last 30 days. Needs recorded drills. #}
with

drills as (
    select * from {{ ref('stg_events__assurance') }}
    where event_type = 'restore_drilled'
),

-- from the first drill on; before, the check says that drills are not recorded
months as (
    select
        months.is_demo,
        months.month_start_date,
        count(case
            when drills.is_good and drills.occurred_at >= months.month_end_at - interval '{{ check_parameter('restore_drill_days') }}' day
                then 1
        end) as good_count,
        max(drills.event_id) as event_id
    from {{ ref('int_check_months') }} as months
    inner join drills on drills.is_demo = months.is_demo and drills.occurred_at < months.month_end_at
    group by months.is_demo, months.month_start_date
)

select
{{ check_row(
    month='month_start_date', kind='month', object="'restore ' || cast(month_start_date as string)",
    violation='good_count = 0',
    detail="'no restore of the off-host copy was verified in " ~ check_parameter('restore_drill_days') ~ " days'",
    event='event_id',
) }}
from months
