{# Every run that any event tells of, who it belongs to, and the run at the top of its delegation. #}
{% set deepest = 20 %}  {# parents of foreign data may go in a circle: such runs stand for themselves #}
with recursive

run_events as (
    select * from {{ ref('stg_events__runs') }}
),

family_events as (
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo from run_events
    union all
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo from {{ ref('stg_events__turns') }}
    union all
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo from {{ ref('stg_events__tool_calls') }}
    union all
    select run_id, team_id, agent_id, agent_version, recorded_via, is_demo from {{ ref('stg_events__approvals') }}
),

requests as (
    select * from run_events
    where event_type = 'run_requested'
    qualify row_number() over (partition by run_id order by occurred_at nulls last, event_id) = 1
),

stated as (
    select
        run_id,
        max(actor_id) as actor_id,
        max(parent_run_id) as parent_run_id,
        max(conversation_id) as conversation_id
    from run_events
    group by run_id
),

seen as (
    select
        run_id,
        max(team_id) as team_id,
        max(agent_id) as agent_id,
        max(agent_version) as agent_version,
        min(recorded_via) as recorded_via,
        bool_or(is_demo) as is_demo,
        cast(count(*) as bigint) as event_count
    from family_events
    group by run_id
),

found as (
    select
        seen.run_id,
        coalesce(requests.parent_run_id, stated.parent_run_id) as parent_run_id,
        coalesce(requests.conversation_id, stated.conversation_id) as conversation_id,
        coalesce(requests.team_id, seen.team_id) as team_id,
        coalesce(requests.agent_id, seen.agent_id) as agent_id,
        coalesce(requests.agent_version, seen.agent_version) as agent_version,
        coalesce(requests.actor_id, stated.actor_id) as actor_id,
        coalesce(requests.recorded_via, seen.recorded_via) as recorded_via,
        seen.is_demo,
        requests.trigger_kind,
        requests.source_file,
        requests.source_run_id,
        requests.source_task_id,
        requests.source_agent,
        requests.source_domain,
        requests.requested_model,
        requests.provider_name,
        coalesce(requests.recorded_via, seen.recorded_via) like 'import:%'
        or coalesce(requests.recorded_via, seen.recorded_via) = 'otlp' as is_from_outside,
        -- false where the source gives no time: what the events carry then is the time of the import
        coalesce(requests.is_time_stated, true) as is_time_known,
        seen.event_count
    from seen
    left join requests on requests.run_id = seen.run_id
    left join stated on stated.run_id = seen.run_id
),

-- a parent that is not in the log cannot hold the run's cost: such a run stands for itself
delegated as (
    select
        found.run_id,
        found.parent_run_id
    from found
    inner join found as parents on parents.run_id = found.parent_run_id
),

climbed as (
    select
        run_id,
        parent_run_id as ancestor_run_id,
        1 as depth
    from delegated

    union all

    select
        climbed.run_id,
        delegated.parent_run_id as ancestor_run_id,
        climbed.depth + 1 as depth
    from climbed
    inner join delegated on delegated.run_id = climbed.ancestor_run_id
    where climbed.depth < {{ deepest }}
),

tops as (
    select * from climbed
    qualify row_number() over (partition by run_id order by depth desc) = 1
)

select
    found.*,
    coalesce(tops.ancestor_run_id, found.run_id) as root_run_id,
    coalesce(roots.team_id, found.team_id) as paying_team_id,
    tops.run_id is not null as is_delegated
from found
left join tops on tops.run_id = found.run_id and tops.depth < {{ deepest }}
left join found as roots on roots.run_id = tops.ancestor_run_id
