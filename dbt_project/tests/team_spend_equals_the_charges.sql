-- Would have caught: delegated runs counted twice or not at all, and a source's total that its charges miss.
with

run_costs as (
    select
        team_id,
        is_demo,
        sum(total_cost_usd) as run_cost_usd
    from {{ ref('fct_runs') }}
    where not is_delegated
    group by team_id, is_demo
),

charge_costs as (
    select
        team_id,
        is_demo,
        sum(cost_usd) as charge_cost_usd
    from {{ ref('fct_charges') }}
    group by team_id, is_demo
)

select *
from run_costs
full outer join charge_costs
    on
        charge_costs.team_id is not distinct from run_costs.team_id
        and charge_costs.is_demo = run_costs.is_demo
where coalesce(run_costs.run_cost_usd, 0) <> coalesce(charge_costs.charge_cost_usd, 0)
