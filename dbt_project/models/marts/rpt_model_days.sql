select
    charge_date,
    team_id,
    agent_id,
    provider_name,
    model_name,
    is_demo,
    is_delegated,
    cast(count(*) as bigint) as charges,
    cast(count(case when cost_status = 'unknown' then 1 end) as bigint) as charges_cost_unknown,
    cast(sum(input_tokens) as bigint) as input_tokens,
    cast(sum(output_tokens) as bigint) as output_tokens,
    cast(sum(list_cost_usd) as decimal(18, 9)) as list_cost_usd,
    cast(sum(cost_usd) as decimal(18, 9)) as cost_usd
from {{ ref('fct_charges') }}
group by charge_date, team_id, agent_id, provider_name, model_name, is_demo, is_delegated
