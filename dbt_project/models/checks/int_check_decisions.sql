{# Each decision of a person on a rated approval, alone or as one of two, with the time since it was shown to them. #}
with

approvals as (
    select * from {{ ref('fct_approvals') }}
    where is_rated and decided_by is not null
),

approval_events as (
    select * from {{ ref('stg_events__approvals') }}
),

made as (
    select
        approval_id,
        approval_id as object_id,
        decided_by,
        decided_at,
        decision
    from approvals
    union all
    -- the first of two
    select
        approval_id,
        approval_id || ' ' || person_id as object_id,
        person_id as decided_by,
        occurred_at as decided_at,
        decision
    from approval_events
    where event_type = 'approval_decided' and is_confirmation_needed
),

shown as (
    select
        made.object_id,
        min(approval_events.occurred_at) as shown_at
    from made
    inner join approval_events
        on
            approval_events.approval_id = made.approval_id
            and approval_events.event_type = 'approval_shown'
            -- where it is not said who looked, it may have been this person
            and coalesce(approval_events.person_id, made.decided_by) = made.decided_by
            and approval_events.occurred_at <= made.decided_at
    group by made.object_id
)

select
    approvals.is_demo,
    {{ month_of(local_date('made.decided_at')) }} as month_start_date,
    made.object_id,
    approvals.approval_id,
    approvals.run_id,
    approvals.agent_id,
    approvals.team_id,
    made.decided_by,
    made.decided_at,
    made.decision,
    {{ us_to_s(us_between('shown.shown_at', 'made.decided_at')) }} as seconds_to_decide
from made
inner join approvals on approvals.approval_id = made.approval_id
left join shown on shown.object_id = made.object_id
