{#
  Each provider and day of UTC of which a whole export came in: log and export agree. Costs where the export
  has them, else tokens. A day belongs to the month in which its export came in. Needs usage imports.
#}
{% set gap = check_parameter('max_capture_gap') %}
with

days as (
    select * from {{ ref('int_provider_days_stated') }}
),

compared as (
    select
        is_demo,
        provider_name,
        usage_date,
        sum(provider_cost_nano_usd) as provider_cost,
        sum(log_cost_nano_usd) as log_cost,
        sum(provider_tokens) as provider_tokens,
        sum(log_tokens) as log_tokens,
        sum(log_unknown_charge_count) as unknown_count,
        sum(log_unmetered_call_count) as unmetered_count
    from {{ ref('int_provider_days_compared') }}
    group by is_demo, provider_name, usage_date
),

whole as (
    select
        days.is_demo,
        days.provider_name,
        days.usage_date,
        days.imported_at,
        days.is_cost_whole,
        coalesce(case when days.is_cost_whole then compared.provider_cost else compared.provider_tokens end, 0) as stated,
        coalesce(case when days.is_cost_whole then compared.log_cost else compared.log_tokens end, 0) as logged,
        coalesce(case when days.is_cost_whole then compared.unknown_count else compared.unmetered_count end, 0) as unknowns
    from days
    left join compared
        on
            compared.is_demo = days.is_demo
            and compared.provider_name = days.provider_name
            and compared.usage_date = days.usage_date
    where days.is_cost_whole or days.is_usage_whole
),

judged as (
    select
        *,
        {{ month_of(local_date('imported_at')) }} as import_month,
        {{ month_of('usage_date') }} as usage_month,
        abs(logged - stated) > abs(stated) * cast({{ gap }} as decimal(10, 6)) as is_apart
    from whole
)

select
{{ check_row(
    month='case when import_month > usage_month then import_month else usage_month end',
    kind='provider day', object="provider_name || ' ' || cast(usage_date as string)",
    violation='is_apart or (unknowns > 0 and stated <> 0)',
    detail="case when unknowns > 0 then 'the log does not know the ' || case when is_cost_whole then 'cost' else 'tokens' end || ' of ' || cast(unknowns as string) || ' calls; ' else '' end || case when is_cost_whole then 'provider ' || cast(" ~ nano_to_usd('stated') ~ " as string) || ' USD, log ' || cast(" ~ nano_to_usd('logged') ~ " as string) || ' USD' else 'provider ' || cast(stated as string) || ' tokens, log ' || cast(logged as string) end",
) }}
from judged
