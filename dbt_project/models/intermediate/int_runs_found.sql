{# Every run with who it belongs to, where it came from, and the run at the top of its delegation. #}
{{ config(meta={'by': 'run'}) }}
{% set deepest = 20 %}  {# parents of foreign data may go in a circle: such runs stand for themselves #}
with recursive

repeated as (
    {{ repeated_keys(ref('stg_events__runs'), ['run_id'], "event_type = 'run_requested'") }}
),

-- its columns are named because two read it: it would be held with all
requests as (
    select
        run_id, parent_run_id, conversation_id, team_id, agent_id, agent_version, actor_id, recorded_via, trigger_kind,
        trial_id, trial_arm, source_file, source_run_id, source_task_id, source_agent, source_domain, requested_model,
        provider_name, is_time_stated
    from (
        {{ first_by_key(
            ref('stg_events__runs'), 'repeated', "event_type = 'run_requested'", ['run_id'],
            ['occurred_at nulls last', 'event_id'],
        ) }}
    ) as first_requests
),

known as (
    select * from {{ ref('int_runs_seen') }}
),

-- an outside run that nobody claimed when it came in belongs where the first fitting alias says
aliased as (
    select
        requests.run_id,
        aliases.team_id,
        aliases.agent_id
    from requests
    inner join {{ ref('stg_events__aliases') }} as aliases
        on
            coalesce(requests.source_agent, '') = coalesce(aliases.source_agent, requests.source_agent, '')
            and coalesce(requests.source_domain, '') = coalesce(aliases.source_domain, requests.source_domain, '')
            and coalesce(requests.requested_model, '') = coalesce(aliases.requested_model, requests.requested_model, '')
            and coalesce(requests.source_file, '') = coalesce(aliases.source_file, requests.source_file, '')
    -- nothing that is imported has a sender's token; spans are placed before they come here
    where requests.team_id is null and requests.recorded_via like 'import:%' and aliases.token_id is null
    qualify row_number() over (partition by requests.run_id order by aliases.position nulls last) = 1
),

found as (
    select
        known.run_id,
        coalesce(requests.parent_run_id, known.parent_run_id) as parent_run_id,
        coalesce(requests.conversation_id, known.conversation_id) as conversation_id,
        coalesce(requests.team_id, known.team_id, aliased.team_id) as team_id,
        coalesce(aliased.agent_id, requests.agent_id, known.agent_id) as agent_id,
        coalesce(requests.agent_version, known.agent_version) as agent_version,
        coalesce(requests.actor_id, known.actor_id) as actor_id,
        coalesce(requests.recorded_via, known.recorded_via) as recorded_via,
        known.is_demo,
        requests.trigger_kind,
        requests.trial_id,
        requests.trial_arm,
        requests.source_file,
        requests.source_run_id,
        requests.source_task_id,
        requests.source_agent,
        requests.source_domain,
        requests.requested_model,
        requests.provider_name,
        coalesce(requests.recorded_via, known.recorded_via) like 'import:%'
        or coalesce(requests.recorded_via, known.recorded_via) = 'otlp' as is_from_outside,
        -- false where the source gives no time: what the events carry then is the time of the import
        coalesce(requests.is_time_stated, true) as is_time_known,
        known.seen_at,
        known.event_count
    from known
    left join requests on requests.run_id = known.run_id
    left join aliased on aliased.run_id = known.run_id
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
