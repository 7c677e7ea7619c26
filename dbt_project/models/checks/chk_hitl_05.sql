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

approvals as (
    select * from {{ ref('fct_approvals') }}
    where is_rated and decided_by is not null
),

made as (
    select
        approval_id,
        approval_id as object_id,
        decided_by,
        decided_at
    from approvals
    union all
    -- the first of two
    select
        approval_id,
        approval_id || ' ' || person_id as object_id,
        person_id as decided_by,
        occurred_at as decided_at
    from {{ ref('stg_events__approvals') }}
    where event_type = 'approval_decided' and is_confirmation_needed
),

decisions as (
    select
        approvals.is_demo,
        {{ month_of(local_date('made.decided_at')) }} as month_start_date,
        made.object_id,
        approvals.run_id,
        approvals.agent_id,
        approvals.team_id,
        made.decided_by,
        max(case when allowed.role_id is not null then 1 else 0 end) as has_authority,
        max(case when trainings.event_id is not null then 1 else 0 end) as is_trained
    from made
    inner join approvals on approvals.approval_id = made.approval_id
    inner join recording on recording.is_demo = approvals.is_demo
    left join {{ ref('dim_people') }} as people
        on people.person_id = made.decided_by and people.is_demo = approvals.is_demo
    left join allowed on allowed.role_id = people.role_id and allowed.is_demo = approvals.is_demo
    left join trainings
        on
            trainings.person_id = made.decided_by
            and trainings.is_demo = approvals.is_demo
            and trainings.occurred_at <= made.decided_at
            and trainings.expires_at > made.decided_at
            and coalesce(trainings.agent_id, approvals.agent_id) = approvals.agent_id
            and coalesce(trainings.team_id, approvals.team_id) = approvals.team_id
    where made.decided_at >= recording.since_at
    group by
        approvals.is_demo, {{ month_of(local_date('made.decided_at')) }}, made.object_id, approvals.run_id,
        approvals.agent_id, approvals.team_id, made.decided_by
)

select
{{ check_row(
    month='month_start_date', kind='approval', object='object_id',
    violation='is_trained = 0 or has_authority = 0',
    detail="decided_by || case when has_authority = 0 then ' has no role that may decide' else ' had no valid training' end",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from decisions
