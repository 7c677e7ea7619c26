{{ config(meta={'by': 'run'}) }}
with

verdicts as (
    select * from {{ ref('stg_events__outcomes') }}
    where event_type = 'outcome_recorded'
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    verdicts.event_id,
    verdicts.run_id,
    coalesce(runs.team_id, verdicts.team_id) as team_id,
    coalesce(runs.agent_id, verdicts.agent_id) as agent_id,
    coalesce(runs.agent_version, verdicts.agent_version) as agent_version,
    runs.actor_id,
    verdicts.outcome_kind,
    verdicts.outcome_name,
    verdicts.is_good,
    verdicts.score_micro,
    verdicts.reason,
    verdicts.person_id,
    case when coalesce(runs.is_time_known, false) then verdicts.occurred_at end as judged_at,
    {{ local_date('verdicts.occurred_at') }} as verdict_date,
    runs.run_id is not null as is_run_known,
    coalesce(runs.is_delegated, false) as is_delegated,
    verdicts.is_demo,
    verdicts.recorded_via
from verdicts
left join runs on runs.run_id = verdicts.run_id
