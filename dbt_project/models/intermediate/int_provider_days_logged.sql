{# Per provider, day of UTC and model: what the log holds. A day whose export does not tell models apart is one line. #}
with

days as (
    select * from {{ ref('int_provider_days_stated') }}
),

turns as (
    select * from {{ ref('int_turns_paired') }}
    where is_finished
),

charges as (
    select
        charges.is_demo,
        charges.provider_name,
        {{ utc_date('charges.charged_at') }} as usage_date,
        {{ model_family('charges.model_name') }} as model_family,
        charges.charge_kind,
        {{ usd_to_nano('charges.cost_usd') }} as cost_nano_usd,
        charges.price_version,
        case
            when turns.input_tokens is null or turns.output_tokens is null then null
            when coalesce(turns.is_cache_in_input, true) then turns.input_tokens + turns.output_tokens
            else
                turns.input_tokens + coalesce(turns.cache_read_tokens, 0) + coalesce(turns.cache_write_tokens, 0)
                + turns.output_tokens
        end as total_tokens
    from {{ ref('fct_charges') }} as charges
    left join turns
        on
            turns.run_id = charges.run_id
            and turns.turn_index = charges.turn_index
            and turns.attempt = charges.attempt
    where charges.provider_name is not null and charges.charged_at is not null
)

select
    charges.is_demo,
    charges.provider_name,
    charges.usage_date,
    case when not coalesce(days.is_lumped, false) then charges.model_family end as model_name,
    count(*) as log_charge_count,
    count(case when charges.charge_kind = 'turn' then 1 end) as log_call_count,
    count(case when charges.cost_nano_usd is null then 1 end) as log_unknown_charge_count,
    count(case when charges.charge_kind = 'turn' and charges.total_tokens is null then 1 end) as log_unmetered_call_count,
    cast(sum(charges.cost_nano_usd) as bigint) as log_cost_nano_usd,
    cast(sum(charges.total_tokens) as bigint) as log_tokens,
    min(charges.price_version) as first_price_version,
    max(charges.price_version) as last_price_version
from charges
left join days
    on
        days.is_demo = charges.is_demo
        and days.provider_name = charges.provider_name
        and days.usage_date = charges.usage_date
group by
    charges.is_demo,
    charges.provider_name,
    charges.usage_date,
    case when not coalesce(days.is_lumped, false) then charges.model_family end
