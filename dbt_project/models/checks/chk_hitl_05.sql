{# Whoever decided had a training that was valid then, and a role that may decide. Needs recorded trainings. #}
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

deciders as (
    select distinct
        role_id,
        is_demo
    from {{ ref('stg_events__registry') }}
    where event_type = 'role_granted' and action = 'decide_approval' and coalesce(grant_effect, 'allow') = 'allow'
),

decisions as (
    select
        approvals.is_demo,
        {{ month_of('approvals.decision_date') }} as month_start_date,
        approvals.approval_id,
        approvals.run_id,
        approvals.agent_id,
        approvals.team_id,
        approvals.decided_by,
        max(case when deciders.role_id is not null then 1 else 0 end) as has_authority,
        max(case when trainings.event_id is not null then 1 else 0 end) as is_trained
    from {{ ref('fct_approvals') }} as approvals
    inner join recording on recording.is_demo = approvals.is_demo
    left join {{ ref('dim_people') }} as people
        on people.person_id = approvals.decided_by and people.is_demo = approvals.is_demo
    left join deciders on deciders.role_id = people.role_id and deciders.is_demo = approvals.is_demo
    left join trainings
        on
            trainings.person_id = approvals.decided_by
            and trainings.is_demo = approvals.is_demo
            and trainings.occurred_at <= approvals.decided_at
            and trainings.expires_at > approvals.decided_at
            and coalesce(trainings.agent_id, approvals.agent_id) = approvals.agent_id
            and coalesce(trainings.team_id, approvals.team_id) = approvals.team_id
    where approvals.is_rated and approvals.decided_by is not null and approvals.decided_at >= recording.since_at
    group by
        approvals.is_demo, approvals.decision_date, approvals.approval_id, approvals.run_id, approvals.agent_id,
        approvals.team_id, approvals.decided_by
)

select
{{ check_row(
    month='month_start_date', kind='approval', object='approval_id',
    violation='is_trained = 0 or has_authority = 0',
    detail="decided_by || case when has_authority = 0 then ' has no role that may decide' else ' had no valid training' end",
    agent='agent_id', team='team_id', run='run_id', person='decided_by',
) }}
from decisions
