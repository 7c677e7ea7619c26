{# Every run that any event tells of, who its events say it belongs to, and how many events it has. #}
{{ config(meta={'by': 'run'}) }}
with

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

other_counts as (
    select
        run_id,
        count(*) as event_count
    from other_events
    group by run_id
),

-- what the run's own events say of it
told as (
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
        min(occurred_at) as seen_at,
        count(*) as event_count
    from {{ ref('stg_events__runs') }}
    group by run_id
),

untold as (
    select other_counts.run_id
    from other_counts
    left join told on told.run_id = other_counts.run_id
    where told.run_id is null
),

known as (
    select * from told

    union all

    -- a run without any of its own is known from its turns, calls and approvals
    select
        other_events.run_id,
        cast(null as string) as actor_id,
        cast(null as string) as parent_run_id,
        cast(null as string) as conversation_id,
        max(other_events.team_id) as team_id,
        max(other_events.agent_id) as agent_id,
        max(other_events.agent_version) as agent_version,
        min(other_events.recorded_via) as recorded_via,
        bool_or(other_events.is_demo) as is_demo,
        min(other_events.occurred_at) as seen_at,
        0 as event_count
    from other_events
    inner join untold on untold.run_id = other_events.run_id
    group by other_events.run_id
)

select
    known.run_id,
    known.actor_id,
    known.parent_run_id,
    known.conversation_id,
    known.team_id,
    known.agent_id,
    known.agent_version,
    known.recorded_via,
    known.is_demo,
    known.seen_at,
    cast(known.event_count + coalesce(other_counts.event_count, 0) as bigint) as event_count
from known
left join other_counts on other_counts.run_id = known.run_id
