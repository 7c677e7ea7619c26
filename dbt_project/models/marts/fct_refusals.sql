{{ config(meta={'by': 'run'}) }}
with

refusals as (
    select * from {{ ref('stg_events__runs') }}
    where event_type = 'run_refused'
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    refusals.event_id,
    refusals.run_id,
    coalesce(refusals.agent_id, runs.agent_id) as agent_id,
    coalesce(refusals.team_id, runs.team_id) as team_id,
    coalesce(refusals.actor_id, runs.actor_id) as actor_id,
    coalesce(refusals.trigger_kind, runs.trigger_kind) as trigger_kind,
    refusals.refusal_rule,
    refusals.reason,
    refusals.occurred_at as refused_at,
    {{ local_date('refusals.occurred_at') }} as refused_date,
    refusals.is_demo
from refusals
left join runs on runs.run_id = refusals.run_id
