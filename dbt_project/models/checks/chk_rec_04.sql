{# Each run of a high-risk version says who, what, with which version and model, and when it began and ended. #}
with

runs as (
    select
        runs.*,
        -- nothing is committed to where the text is not kept by declaration; the demo's history has no texts
        runs.recorded_via = 'demo' or coalesce(runs.content_capture, 'on') = 'off' as is_text_kept_off
    from {{ ref('int_check_runs') }} as runs
    inner join {{ ref('dim_agent_versions') }} as versions
        on
            versions.agent_id = runs.agent_id
            and versions.agent_version = runs.agent_version
            and versions.is_demo = runs.is_demo
    where coalesce(versions.risk_class, 'high') = 'high' and runs.is_terminal
)

select
{{ check_row(
    month='month_start_date', kind='run', object='run_id',
    violation="version_hash is null or actor_id is null or (input_commit is null and not is_text_kept_off) or requested_at is null or ended_at is null or (turn_count > 0 and model_name is null)",
    detail="'missing:' || case when version_hash is null then ' version' else '' end || case when actor_id is null then ' person' else '' end || case when input_commit is null and not is_text_kept_off then ' commitment to the task' else '' end || case when turn_count > 0 and model_name is null then ' model' else '' end || case when requested_at is null then ' start' else '' end || case when ended_at is null then ' end' else '' end",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from runs
