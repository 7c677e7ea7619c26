{#
  Per provider, day of UTC and model: what the provider states beside what the log holds. Where an export does
  not tell models apart, the day is one line without a model.
#}
with

days as (
    select * from {{ ref('int_provider_days_stated') }}
),

logged as (
    select * from {{ ref('int_provider_days_logged') }}
),

lines as (
    select
        lines.*,
        case when not days.is_lumped then coalesce(lines.model_family, lines.usage_item) end as compared_name
    from {{ ref('int_provider_usage_stated') }} as lines
    inner join days
        on
            days.is_demo = lines.is_demo
            and days.provider_name = lines.provider_name
            and days.usage_date = lines.usage_date
    where
        lines.report_kind in ('usage', 'cost')
        -- a line of zeros without a name only says that the day is covered
        and (days.is_lumped or lines.model_family is not null or lines.usage_item is not null)
),

stated as (
    select
        is_demo,
        provider_name,
        usage_date,
        compared_name as model_name,
        cast(sum(case when report_kind = 'cost' then billed_cost_nano_usd end) as bigint) as provider_cost_nano_usd,
        cast(sum(case when report_kind = 'usage' then total_tokens end) as bigint) as provider_tokens,
        cast(sum(case when report_kind = 'usage' then request_count end) as bigint) as provider_request_count
    from lines
    group by is_demo, provider_name, usage_date, compared_name
)

select
    coalesce(stated.is_demo, logged.is_demo) as is_demo,
    coalesce(stated.provider_name, logged.provider_name) as provider_name,
    coalesce(stated.usage_date, logged.usage_date) as usage_date,
    coalesce(stated.model_name, logged.model_name) as model_name,
    coalesce(days.has_cost_report, false) as has_cost_report,
    coalesce(days.has_usage_report, false) as has_usage_report,
    coalesce(days.is_cost_whole, false) as is_cost_whole,
    coalesce(days.is_usage_whole, false) as is_usage_whole,
    -- a whole export that does not name the model says that there was nothing of it
    case when days.is_cost_whole then coalesce(stated.provider_cost_nano_usd, 0) else stated.provider_cost_nano_usd end
        as provider_cost_nano_usd,
    case when days.is_usage_whole then coalesce(stated.provider_tokens, 0) else stated.provider_tokens end
        as provider_tokens,
    stated.provider_request_count,
    coalesce(logged.log_charge_count, 0) as log_charge_count,
    coalesce(logged.log_call_count, 0) as log_call_count,
    coalesce(logged.log_unknown_charge_count, 0) as log_unknown_charge_count,
    coalesce(logged.log_unmetered_call_count, 0) as log_unmetered_call_count,
    -- nothing in the log is 0; something of unknown cost is unknown
    case when logged.provider_name is null then 0 else logged.log_cost_nano_usd end as log_cost_nano_usd,
    case when logged.provider_name is null then 0 else logged.log_tokens end as log_tokens,
    case
        when logged.first_price_version = logged.last_price_version then logged.first_price_version
        when logged.first_price_version is not null then 'several'
    end as price_version
from stated
full outer join logged
    on
        logged.is_demo = stated.is_demo
        and logged.provider_name = stated.provider_name
        and logged.usage_date = stated.usage_date
        and coalesce(logged.model_name, '') = coalesce(stated.model_name, '')
left join days
    on
        days.is_demo = coalesce(stated.is_demo, logged.is_demo)
        and days.provider_name = coalesce(stated.provider_name, logged.provider_name)
        and days.usage_date = coalesce(stated.usage_date, logged.usage_date)
