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
    turns.price_version,
    case when turns.price_version like 'genai-prices-%' then 'genai-prices' else 'registry.yaml' end as price_source,
    min(turns.finished_at) as first_used_at,
    max(turns.finished_at) as last_used_at,
    runs.is_demo
from turns
inner join runs on runs.run_id = turns.run_id
where turns.price_version is not null
group by
    turns.provider_name, coalesce(turns.served_model, turns.requested_model), turns.price_version, runs.is_demo
