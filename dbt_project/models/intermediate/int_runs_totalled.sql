{# Cost of a run with everything it delegated inside it; fleet and team figures use this and leave delegated runs out. #}
{{ config(meta={'by': 'run'}) }}
with

runs as (
    select * from {{ ref('int_runs_found') }}
),

costs as (
    select * from {{ ref('int_runs_costed') }}
)

select
    runs.root_run_id as run_id,
    cast(count(case when runs.is_delegated then 1 end) as bigint) as delegated_run_count,
    cast(sum(costs.cost_nano_usd) as bigint) as total_cost_nano_usd,
    case
        when count(case when costs.cost_status = 'exact' then 1 end) = count(*) then 'exact'
        when count(costs.cost_nano_usd) = 0 then 'unknown'
        else 'floor'
    end as total_cost_status
from runs
inner join costs on costs.run_id = runs.run_id
group by runs.root_run_id
