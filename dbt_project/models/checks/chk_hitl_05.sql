{# Whoever decided, alone or as one of two, had a training that was valid then, and a role that might decide. Needs recorded trainings. #}
with

trainings as (
    select * from {{ ref('stg_events__assurance') }}
    where event_type = 'training_recorded'
),

-- a company that records no trainings at all gets no answer instead of a wrong one
recording as (
    select
        is_demo,
        min(occurred_at) as since_at
    from trainings
    group by is_demo
),

-- a rule counts from its grant until the next word on it
allowed as (
    select
        *,
        lead(occurred_at) over (partition by rule_id, role_id, is_demo order by occurred_at nulls last, event_id) as until_at
    from {{ ref('stg_events__registry') }}
    where event_type in ('role_granted', 'role_revoked') and action = 'decide_approval'
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

made as (
    select * from {{ ref('int_check_decisions') }}
),

decisions as (
    select
        made.is_demo,
        made.month_start_date,
        made.object_id,
        made.run_id,
        made.agent_id,
        made.team_id,
        made.decided_by,
        max(case when allowed.role_id is not null then 1 else 0 end) as has_authority,
        max(case when trainings.event_id is not null then 1 else 0 end) as is_trained
    from made
    inner join recording on recording.is_demo = made.is_demo
    left join people
        on
            people.person_id = made.decided_by
            and people.applies_to_demo = made.is_demo
            and people.occurred_at <= made.decided_at
            and (people.until_at is null or people.until_at > made.decided_at)
    left join allowed
        on
            allowed.role_id = people.role_id
            and allowed.is_demo = made.is_demo
            and allowed.event_type = 'role_granted'
            and coalesce(allowed.grant_effect, 'allow') = 'allow'
            and allowed.occurred_at <= made.decided_at
            and (allowed.until_at is null or allowed.until_at > made.decided_at)
    left join trainings
        on
            trainings.person_id = made.decided_by
            and trainings.is_demo = made.is_demo
            and trainings.occurred_at <= made.decided_at
            and trainings.expires_at > made.decided_at
            and coalesce(trainings.agent_id, made.agent_id) = made.agent_id
            and coalesce(trainings.team_id, made.team_id) = made.team_id
    where made.decided_at >= recording.since_at
    group by
        made.is_demo, made.month_start_date, made.object_id, made.run_id, made.agent_id, made.team_id,
        made.decided_by
)

select
{{ check_row(
    month='month_start_date', kind='approval', object='object_id',
    violation='is_trained = 0 or has_authority = 0',
    detail="decided_by || case when has_authority = 0 then ' had no role that might decide' else ' had no valid training' end",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from decisions
