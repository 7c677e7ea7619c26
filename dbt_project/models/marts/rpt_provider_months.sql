with

days as (
    select
        is_demo,
        provider_name,
        {{ month_of('usage_date') }} as month_start_date,
        count(case when is_cost_whole then 1 end) as cost_days
    from {{ ref('int_provider_days_stated') }}
    group by is_demo, provider_name, {{ month_of('usage_date') }}
),

-- by day: an invoice is of all days, an export may be of some
compared as (
    select
        is_demo,
        provider_name,
        usage_date,
        {{ month_of('usage_date') }} as month_start_date,
        bool_and(is_cost_whole) as is_cost_whole,
        sum(provider_cost_nano_usd) as provider_cost_nano_usd,
        sum(log_cost_nano_usd) as log_cost_nano_usd,
        sum(log_charge_count) as log_charge_count,
        sum(log_unknown_charge_count) as log_unknown_charge_count
    from {{ ref('int_provider_days_compared') }}
    group by is_demo, provider_name, usage_date
),

summed as (
    select
        is_demo,
        provider_name,
        month_start_date,
        cast(sum(case when is_cost_whole then provider_cost_nano_usd end) as bigint) as provider_cost_nano_usd,
        cast(sum(case when is_cost_whole then log_cost_nano_usd end) as bigint) as compared_cost_nano_usd,
        cast(sum(log_cost_nano_usd) as bigint) as log_cost_nano_usd,
        cast(sum(log_charge_count) as bigint) as log_charge_count,
        cast(sum(log_unknown_charge_count) as bigint) as log_unknown_charge_count
    from compared
    group by is_demo, provider_name, month_start_date
),

invoices as (
    select
        is_demo,
        provider_name,
        {{ month_of('usage_date') }} as month_start_date,
        count(distinct coalesce(invoice_id, report_id)) as invoices,
        cast(sum(billed_cost_nano_usd) as bigint) as invoiced_nano_usd
    from {{ ref('int_provider_usage_stated') }}
    where report_kind = 'invoice'
    group by is_demo, provider_name, {{ month_of('usage_date') }}
)

select
    coalesce(summed.month_start_date, invoices.month_start_date) as month_start_date,
    coalesce(summed.provider_name, invoices.provider_name) as provider_name,
    cast(null as string) as team_id,
    coalesce(invoices.invoices, 0) as invoices,
    {{ nano_to_usd('invoices.invoiced_nano_usd') }} as invoiced_usd,
    coalesce(days.cost_days, 0) as cost_days,
    {{ nano_to_usd('summed.provider_cost_nano_usd') }} as provider_cost_usd,
    {{ nano_to_usd('summed.compared_cost_nano_usd') }} as compared_log_cost_usd,
    {{ nano_to_usd('summed.log_cost_nano_usd') }} as log_cost_usd,
    coalesce(summed.log_charge_count, 0) as log_charge_count,
    coalesce(summed.log_unknown_charge_count, 0) as log_unknown_charge_count,
    case
        when coalesce(summed.log_unknown_charge_count, 0) = 0
            then {{ ratio('summed.compared_cost_nano_usd', 'summed.provider_cost_nano_usd') }}
    end as captured_of_costs_share,
    case
        when coalesce(summed.log_unknown_charge_count, 0) = 0
            then {{ ratio('coalesce(summed.log_cost_nano_usd, 0)', 'invoices.invoiced_nano_usd') }}
    end as captured_of_invoices_share,
    coalesce(summed.is_demo, invoices.is_demo) as is_demo
from summed
full outer join invoices
    on
        invoices.is_demo = summed.is_demo
        and invoices.provider_name = summed.provider_name
        and invoices.month_start_date = summed.month_start_date
left join days
    on
        days.is_demo = coalesce(summed.is_demo, invoices.is_demo)
        and days.provider_name = coalesce(summed.provider_name, invoices.provider_name)
        and days.month_start_date = coalesce(summed.month_start_date, invoices.month_start_date)
