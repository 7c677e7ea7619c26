{# Own runs that started, with what was recorded when they were asked for. #}
with

starts as (
    select
        run_id,
        max(version_hash) as version_hash,
        count(distinct version_hash) as version_hash_count,
        max(case when event_type = 'run_requested' then payload_commit end) as input_commit,
        min(case when event_type = 'run_requested' then role_id end) as role_id,
        min(case when event_type = 'run_requested' then content_capture end) as content_capture
    from {{ ref('stg_events__run_proofs') }}
    where event_type in ('run_requested', 'run_started')
    group by run_id
)

select
    runs.is_demo,
    {{ month_of('runs.run_date') }} as month_start_date,
    runs.run_id,
    runs.parent_run_id,
    runs.agent_id,
    runs.agent_version,
    runs.team_id,
    runs.actor_id,
    runs.model_name,
    runs.turn_count,
    runs.is_terminal,
    runs.recorded_via,
    runs.requested_at,
    runs.started_at,
    runs.ended_at,
    starts.version_hash,
    starts.version_hash_count,
    starts.input_commit,
    starts.role_id,
    starts.content_capture
from {{ ref('fct_runs') }} as runs
inner join starts on starts.run_id = runs.run_id
where runs.started_at is not null and runs.recorded_via in ('runner', 'demo', 'app')
