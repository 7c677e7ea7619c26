with

declared as (
    select * from {{ ref('int_agents_declared') }}
),

runs as (
    select
        found.agent_id,
        found.is_demo,
        found.team_id,
        found.recorded_via,
        timed.placed_at,
        counted.model_name
    from {{ ref('int_runs_found') }} as found
    inner join {{ ref('int_runs_timed') }} as timed on timed.run_id = found.run_id
    inner join {{ ref('int_runs_counted') }} as counted on counted.run_id = found.run_id
    where found.agent_id is not null
),

seen as (
    select
        agent_id,
        is_demo,
        max_by(team_id, placed_at) as team_id,
        max_by(recorded_via, placed_at) as recorded_via,
        max_by(model_name, placed_at) as model_name,
        min(placed_at) as first_run_at,
        max(placed_at) as last_run_at
    from runs
    group by agent_id, is_demo
),

-- built elsewhere, and claimed for a team by an alias of registry.yaml
adopted as (
    select distinct agent_id
    from {{ ref('stg_events__aliases') }}
)

select
    coalesce(declared.agent_id, seen.agent_id) as agent_id,
    coalesce(declared.team_id, seen.team_id) as team_id,
    declared.agent_name,
    declared.purpose,
    declared.owner_id,
    declared.deputy_id,
    declared.risk_class,
    declared.status,
    declared.agent_version,
    declared.version_hash,
    declared.waiting_version,
    coalesce(declared.model_name, seen.model_name) as model_name,
    declared.template_id,
    declared.template_version,
    declared.expected_use,
    declared.tool_count,
    declared.agent_id is not null or adopted.agent_id is not null as is_registered,
    declared.agent_id is null and adopted.agent_id is not null as is_adopted,
    coalesce(seen.recorded_via, declared.recorded_via) as recorded_via,
    coalesce(declared.is_demo, seen.is_demo) as is_demo,
    seen.first_run_at,
    seen.last_run_at
from declared
full outer join seen on seen.agent_id = declared.agent_id and seen.is_demo = declared.is_demo
left join adopted on adopted.agent_id = seen.agent_id
