with

stop_events as (
    select * from {{ ref('stg_events__stops') }}
),

ordered as (
    select * from stop_events
    where event_type = 'stop_ordered'
    qualify row_number() over (partition by stop_id order by occurred_at nulls last, event_id) = 1
),

lifted as (
    select * from stop_events
    where event_type = 'stop_lifted'
    qualify row_number() over (partition by stop_id order by occurred_at nulls last, event_id) = 1
),

halted as (
    select
        stop_id,
        count(*) as halted_runs,
        max(halt_ns) as slowest_halt_ns
    from stop_events
    where event_type = 'stop_drill'
    group by stop_id
),

agents as (
    select * from {{ ref('int_agents_declared') }}
)

select
    ordered.stop_id,
    ordered.stop_scope,
    ordered.agent_id,
    ordered.run_id,
    coalesce(ordered.team_id, agents.team_id) as team_id,
    ordered.occurred_at as ordered_at,
    {{ local_date('ordered.occurred_at') }} as ordered_date,
    ordered.person_id as ordered_by,
    ordered.reason,
    coalesce(ordered.is_drill, false) as is_drill,
    lifted.occurred_at as lifted_at,
    lifted.person_id as lifted_by,
    cast(coalesce(halted.halted_runs, 0) as bigint) as halted_runs,
    {{ ns_to_ms('halted.slowest_halt_ns') }} as slowest_halt_ms,
    ordered.is_demo
from ordered
left join lifted on lifted.stop_id = ordered.stop_id
left join halted on halted.stop_id = ordered.stop_id
left join agents on agents.agent_id = ordered.agent_id and agents.is_demo = ordered.is_demo
