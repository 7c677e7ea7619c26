{{ config(meta={'by': 'run', 'day': 'charge_date'}) }}
with

charges as (
    select * from {{ ref('int_charges_made') }}
)

select
    charge_id,
    run_id,
    charge_kind,
    turn_index,
    attempt,
    paying_team_id as team_id,
    agent_id,
    agent_version,
    provider_name,
    model_name,
    charged_at,
    charge_date,
    {{ nano_to_usd('list_cost_nano_usd') }} as list_cost_usd,
    {{ nano_to_usd('reported_cost_nano_usd') }} as reported_cost_usd,
    {{ nano_to_usd('cost_nano_usd') }} as cost_usd,
    cast(null as decimal(18, 9)) as billed_cost_usd,
    price_version,
    case when cost_nano_usd is null then 'unknown' else 'exact' end as cost_status,
    input_tokens,
    output_tokens,
    is_delegated,
    is_demo,
    recorded_via
from charges
