{# Whoever decided, alone or as one of two, had a training that was valid then, and a role that may decide. Needs recorded trainings. #}
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

allowed as (
    select distinct
        role_id,
        is_demo
    from {{ ref('stg_events__registry') }}
    where event_type = 'role_granted' and action = 'decide_approval' and coalesce(grant_effect, 'allow') = 'allow'
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
    left join {{ ref('dim_people') }} as people
        on people.person_id = made.decided_by and people.is_demo = made.is_demo
    left join allowed on allowed.role_id = people.role_id and allowed.is_demo = made.is_demo
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
    detail="decided_by || case when has_authority = 0 then ' has no role that may decide' else ' had no valid training' end",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from decisions
