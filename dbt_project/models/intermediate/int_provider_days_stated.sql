{#
  Per provider and day of UTC: which exports cover it, and whether as a whole. A day is whole when its buckets
  add up to 24 hours, all over when the export came in, and no line of the export was refused.
#}
with

lines as (
    select * from {{ ref('int_provider_usage_stated') }}
    where report_kind in ('usage', 'cost')
),

buckets as (
    select
        is_demo,
        provider_name,
        provider_account,
        report_kind,
        usage_date,
        usage_start_at,
        usage_end_at,
        max(imported_at) as imported_at,
        max(report_rejected_row_count) as rejected_row_count,
        -- a sum that no model and no item is named for holds all models
        coalesce(bool_or(
            model_family is null and usage_item is null
            and (coalesce(billed_cost_nano_usd, 0) <> 0 or coalesce(total_tokens, 0) <> 0)
        ), false) as is_lumped
    from lines
    group by
        is_demo, provider_name, provider_account, report_kind, usage_date, usage_start_at, usage_end_at
),

accounts as (
    select
        is_demo,
        provider_name,
        provider_account,
        report_kind,
        usage_date,
        max(imported_at) as imported_at,
        bool_or(is_lumped) as is_lumped,
        sum({{ us_between('usage_start_at', 'usage_end_at') }}) = 86400000000
        and bool_and(usage_end_at <= imported_at)
        and max(rejected_row_count) = 0 as is_whole
    from buckets
    group by is_demo, provider_name, provider_account, report_kind, usage_date
)

select
    is_demo,
    provider_name,
    usage_date,
    max(imported_at) as imported_at,
    coalesce(bool_or(report_kind = 'cost'), false) as has_cost_report,
    coalesce(bool_or(report_kind = 'usage'), false) as has_usage_report,
    bool_and(case when report_kind = 'cost' then is_whole end) as is_cost_whole,
    bool_and(case when report_kind = 'usage' then is_whole end) as is_usage_whole,
    coalesce(bool_or(is_lumped), false) as is_lumped
from accounts
group by is_demo, provider_name, usage_date
