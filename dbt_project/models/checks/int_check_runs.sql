{# Own runs that started, with what was recorded when they were asked for. #}
{{ config(materialized='table', meta={'by': 'run'}) }}
with

starts as (
    select * from {{ ref('int_check_starts') }}
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
