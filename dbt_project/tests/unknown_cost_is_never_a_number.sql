-- Would have caught: a stated cost of 0 that was believed, or a sum over nothing that became 0.
select *
from {{ ref('fct_runs') }}
where
    (cost_status = 'unknown') <> (cost_usd is null)
    or (not is_delegated and (total_cost_status = 'unknown') <> (total_cost_usd is null))
