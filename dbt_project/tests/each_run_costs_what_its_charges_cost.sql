-- Would have caught: a retried call that is charged but not in the run, or the other way round.
with

charge_costs as (
    select
        run_id,
        sum(cost_usd) as charge_cost_usd
    from {{ ref('fct_charges') }}
    group by run_id
)

select
    runs.run_id,
    runs.cost_usd,
    charge_costs.charge_cost_usd
from {{ ref('fct_runs') }} as runs
left join charge_costs on charge_costs.run_id = runs.run_id
where coalesce(runs.cost_usd, 0) <> coalesce(charge_costs.charge_cost_usd, 0)
