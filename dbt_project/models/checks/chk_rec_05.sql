{# Each run names an agent version of the inventory. #}
select
{{ check_row(
    month=month_of('runs.run_date'), kind='run', object='runs.run_id',
    violation='versions.agent_id is null',
    detail="'run of ' || coalesce(runs.agent_id, runs.source_agent, 'an unnamed agent') || ', which the inventory does not know'",
    agent='runs.agent_id', team='runs.team_id', run='runs.run_id', person='runs.actor_id',
) | replace('    is_demo,', '    runs.is_demo,') }}
from {{ ref('fct_runs') }} as runs
left join (select distinct agent_id, is_demo from {{ ref('dim_agent_versions') }}) as versions
    on versions.agent_id = runs.agent_id and versions.is_demo = runs.is_demo
