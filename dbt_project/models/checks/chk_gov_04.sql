{# Whoever is responsible for an own run held a grant for the agent when it was asked for, and no denial. #}
with

rules as (
    select * from {{ ref('stg_events__registry') }}
    where event_type in ('role_granted', 'role_revoked') and action = 'run_agent' and rule_id not like 'role:%'
),

-- a rule counts from its grant until the next word on it
spans as (
    select
        *,
        lead(occurred_at) over (partition by rule_id, role_id, is_demo order by occurred_at nulls last, event_id) as until_at
    from rules
),

people as (
    select
        *,
        lead(occurred_at) over (
            partition by person_id, applies_to_demo order by occurred_at nulls last, event_id
        ) as until_at
    from {{ ref('int_registry_applied') }}
    where event_type = 'person_declared'
),

ruled as (
    select
        runs.is_demo,
        runs.month_start_date,
        runs.run_id,
        runs.agent_id,
        runs.team_id,
        runs.actor_id,
        -- within the reach of the role, or named by the grant
        count(case
            when spans.rule_id is not null and coalesce(spans.grant_effect, 'allow') = 'allow'
                and (people.scope = 'all' or people.team_id = runs.team_id or spans.agent_id is not null)
                then 1
        end) as grant_count,
        count(case when spans.grant_effect = 'deny' then 1 end) as denial_count
    from {{ ref('int_check_runs') }} as runs
    left join people
        on
            people.person_id = runs.actor_id
            and people.applies_to_demo = runs.is_demo
            and people.occurred_at <= runs.requested_at
            and (people.until_at is null or people.until_at > runs.requested_at)
    left join spans
        on
            spans.role_id = people.role_id
            and spans.is_demo = runs.is_demo
            and spans.event_type = 'role_granted'
            and spans.occurred_at <= runs.requested_at
            and (spans.until_at is null or spans.until_at > runs.requested_at)
            and coalesce(spans.agent_id, runs.agent_id) = runs.agent_id
            and coalesce(spans.team_id, runs.team_id) = runs.team_id
    group by runs.is_demo, runs.month_start_date, runs.run_id, runs.agent_id, runs.team_id, runs.actor_id
)

select
{{ check_row(
    month='month_start_date', kind='run', object='run_id',
    violation='grant_count = 0 or denial_count > 0',
    detail="coalesce(actor_id, 'nobody who is named') || case when grant_count = 0 then ' had no grant to run ' else ' was denied ' end || agent_id",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from ruled
