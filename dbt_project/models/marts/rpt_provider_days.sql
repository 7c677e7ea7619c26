{% set gap = (1 - (check_parameter('min_captured_share') | float)) | round(6) %}
with

days as (
    select
        *,
        abs(log_cost_nano_usd - provider_cost_nano_usd) <= abs(provider_cost_nano_usd) * cast({{ gap }} as decimal(10, 6))
            as is_cost_equal,
        abs(log_tokens - provider_tokens) <= provider_tokens * cast({{ gap }} as decimal(10, 6)) as is_tokens_equal
    from {{ ref('int_provider_days_compared') }}
),

judged as (
    select
        *,
        case
            when not has_cost_report and not has_usage_report then 'no_report'
            when not is_cost_whole and not is_usage_whole then 'report_incomplete'
            when log_charge_count = 0 and (provider_cost_nano_usd <> 0 or provider_tokens > 0) then 'not_in_log'
            when is_usage_whole and provider_tokens = 0 and coalesce(provider_cost_nano_usd, 0) = 0
                and coalesce(log_tokens, 1) > 0 then 'not_at_provider'
            when is_cost_whole and provider_cost_nano_usd = 0 and log_cost_nano_usd > 0 then 'not_at_provider'
            when log_unmetered_call_count > 0 then 'tokens_unknown'
            when is_cost_whole and provider_cost_nano_usd <> 0 and log_unknown_charge_count > 0 then 'price_missing'
            when is_cost_whole and not is_cost_equal and is_usage_whole and is_tokens_equal then 'price_differs'
            when is_cost_whole and not is_cost_equal and log_cost_nano_usd < provider_cost_nano_usd then 'partly_in_log'
            when is_cost_whole and not is_cost_equal then 'more_in_log'
            when is_usage_whole and not is_tokens_equal and log_tokens < provider_tokens then 'partly_in_log'
            when is_usage_whole and not is_tokens_equal then 'more_in_log'
            else 'matches'
        end as comparison
    from days
)

select
    usage_date,
    provider_name,
    model_name,
    cast(null as string) as team_id,
    comparison,
    has_cost_report,
    has_usage_report,
    is_cost_whole,
    is_usage_whole,
    {{ nano_to_usd('provider_cost_nano_usd') }} as provider_cost_usd,
    {{ nano_to_usd('log_cost_nano_usd') }} as log_cost_usd,
    case
        when is_cost_whole and log_unknown_charge_count = 0
            then {{ ratio('log_cost_nano_usd', 'provider_cost_nano_usd') }}
    end as captured_cost_share,
    provider_tokens,
    log_tokens,
    case
        when is_usage_whole and log_unmetered_call_count = 0
            then {{ ratio('log_tokens', 'provider_tokens') }}
    end as captured_tokens_share,
    provider_request_count,
    log_call_count,
    log_charge_count,
    log_unknown_charge_count,
    log_unmetered_call_count,
    {{ ratio('provider_cost_nano_usd', '1000 * provider_tokens') }} as provider_usd_per_mtok,
    case
        when log_unknown_charge_count = 0 and log_unmetered_call_count = 0
            then {{ ratio('log_cost_nano_usd', '1000 * log_tokens') }}
    end as log_usd_per_mtok,
    price_version,
    is_demo
from judged
