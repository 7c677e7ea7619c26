with

turns as (
    select * from {{ ref('int_turns_paired') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    turns.provider_name,
    coalesce(turns.served_model, turns.requested_model) as model_name,
    min(coalesce(turns.requested_at, turns.finished_at)) as first_used_at,
    max(coalesce(turns.requested_at, turns.finished_at)) as last_used_at,
    coalesce(bool_or(turns.list_cost_nano_usd is not null), false) as is_priced,
    runs.is_demo
from turns
inner join runs on runs.run_id = turns.run_id
group by turns.provider_name, coalesce(turns.served_model, turns.requested_model), runs.is_demo
