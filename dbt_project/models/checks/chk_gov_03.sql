{# Each own run ran the specification that its version was declared with, and no other. #}
with

runs as (
    select
        runs.*,
        versions.version_hash as declared_hash
    from {{ ref('int_check_runs') }} as runs
    left join {{ ref('dim_agent_versions') }} as versions
        on
            versions.agent_id = runs.agent_id
            and versions.agent_version = runs.agent_version
            and versions.is_demo = runs.is_demo
)

select
{{ check_row(
    month='month_start_date', kind='run', object='run_id',
    violation='version_hash is null or declared_hash is null or version_hash <> declared_hash or version_hash_count > 1',
    detail="agent_id || case when version_hash is null then ': the run does not say which specification it ran' when declared_hash is null then ': the version that ran was never declared' else ': ran another specification than version ' || agent_version || ' was declared with' end",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from runs
