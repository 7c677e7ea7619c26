{# Each month after the first signed one: the report of the month before is in the log, signed. Needs signed reports. #}
with

signed as (
    select
        is_demo,
        check_month,
        max(event_id) as event_id,
        min(occurred_at) as signed_at
    from {{ ref('stg_events__assurance') }}
    where event_type = 'report_signed'
    group by is_demo, check_month
),

first_signed as (
    select
        is_demo,
        min(check_month) as check_month
    from signed
    group by is_demo
),

months as (
    select
        months.is_demo,
        months.month_start_date,
        signed.event_id,
        substr(cast(cast(months.month_start_date - interval '1' month as date) as string), 1, 7) as month_before
    from {{ ref('int_check_months') }} as months
    inner join first_signed
        on
            first_signed.is_demo = months.is_demo
            and first_signed.check_month < substr(cast(months.month_start_date as string), 1, 7)
    left join signed
        on
            signed.is_demo = months.is_demo
            and signed.signed_at < months.month_end_at
            and signed.check_month
            = substr(cast(cast(months.month_start_date - interval '1' month as date) as string), 1, 7)
)

select
{{ check_row(
    month='month_start_date', kind='report', object="'report ' || month_before",
    violation='event_id is null',
    detail="'the report of ' || month_before || ' is not signed'",
    event='event_id',
) }}
from months
