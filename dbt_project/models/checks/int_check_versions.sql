{# Each version that ran in a month, with the risk it was declared with, high where none was. #}
{{ config(materialized='table') }}
with

ran as (
    select
        {{ month_of('run_date') }} as month_start_date,
        agent_id,
        agent_version,
        is_demo,
        count(*) as run_count
    from {{ ref('fct_runs') }}
    where agent_version is not null and started_at is not null
    group by {{ month_of('run_date') }}, agent_id, agent_version, is_demo
)

select
    ran.*,
    versions.team_id,
    -- without a class an agent counts as one of high risk
    coalesce(versions.risk_class, 'high') as risk_class,
    versions.risk_reasons,
    versions.author_id,
    versions.version_hash,
    versions.declared_at
from ran
inner join {{ ref('dim_agent_versions') }} as versions
    on
        versions.agent_id = ran.agent_id
        and versions.agent_version = ran.agent_version
        and versions.is_demo = ran.is_demo
