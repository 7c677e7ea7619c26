{{ config(meta={'by': 'run'}) }}
with

retrievals as (
    select * from {{ ref('stg_events__knowledge') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    retrievals.event_id,
    retrievals.run_id,
    retrievals.call_index,
    coalesce(retrievals.agent_id, runs.agent_id) as agent_id,
    coalesce(retrievals.team_id, runs.team_id) as team_id,
    retrievals.actor_id,
    retrievals.knowledge_source,
    retrievals.document,
    retrievals.chunk_sha256,
    retrievals.chunk_rank as chunk_rank_index,
    retrievals.sensitivity,
    retrievals.event_type = 'knowledge_refused' as is_refused,
    retrievals.rule_id,
    retrievals.refusal_rule,
    retrievals.reason,
    retrievals.occurred_at as retrieved_at,
    {{ local_date('retrievals.occurred_at') }} as retrieved_date,
    retrievals.is_demo
from retrievals
left join runs on runs.run_id = retrievals.run_id
