{# Every run that any event tells of, who its events say it belongs to, and how many events it has. #}
{{ config(meta={'by': 'run'}) }}
with

run_events as (
    select * from {{ ref('stg_events__runs') }}
),

other_events as (
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo, occurred_at
    from {{ ref('stg_events__turns') }}
    union all
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo, occurred_at
    from {{ ref('stg_events__tool_calls') }}
    union all
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo, occurred_at
    from {{ ref('stg_events__approvals') }}
),

-- what the run's own events say of it; a run without any is known from its turns, calls and approvals
known as (
    select
        run_id,
        max(actor_id) as actor_id,
        max(parent_run_id) as parent_run_id,
        max(conversation_id) as conversation_id,
        max(team_id) as team_id,
        max(agent_id) as agent_id,
        max(agent_version) as agent_version,
        min(recorded_via) as recorded_via,
        bool_or(is_demo) as is_demo,
        min(occurred_at) as seen_at
    from run_events
    group by run_id

    union all

    select
        run_id,
        cast(null as string) as actor_id,
        cast(null as string) as parent_run_id,
        cast(null as string) as conversation_id,
        max(team_id) as team_id,
        max(agent_id) as agent_id,
        max(agent_version) as agent_version,
        min(recorded_via) as recorded_via,
        bool_or(is_demo) as is_demo,
        min(occurred_at) as seen_at
    from other_events
    where run_id not in (select run_id from run_events)
    group by run_id
),

counted as (
    select
        run_id,
        cast(count(*) as bigint) as event_count
    from (
        select run_id from run_events
        union all
        select run_id from other_events
    ) as family_events
    group by run_id
)

select
    known.*,
    counted.event_count
from known
inner join counted on counted.run_id = known.run_id
