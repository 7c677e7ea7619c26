{# Whoever decided a call of a high-risk agent, alone or as one of two, neither started the run nor wrote the version. #}
with

decisions as (
    select
        approval_id,
        person_id
    from {{ ref('stg_events__approvals') }}
    where event_type = 'approval_decided'
),

calls as (
    select
        calls.is_demo,
        calls.month_start_date,
        calls.approval_id,
        calls.agent_id,
        calls.team_id,
        calls.run_id,
        max(decisions.person_id) filter (where decisions.person_id = calls.actor_id) as own_decider,
        max(decisions.person_id) filter (where decisions.person_id = calls.author_id) as own_author
    from {{ ref('int_check_calls') }} as calls
    left join decisions on decisions.approval_id = calls.approval_id
    where calls.decision is not null
    group by calls.is_demo, calls.month_start_date, calls.approval_id, calls.agent_id, calls.team_id, calls.run_id
)

select
{{ check_row(
    month='month_start_date', kind='approval', object='approval_id',
    violation='own_decider is not null or own_author is not null',
    detail="coalesce(own_decider, own_author) || case when own_decider is not null then ' started the run and decided it' else ' wrote the version and decided its call' end",
    agent='agent_id', team='team_id', run='run_id', person='coalesce(own_decider, own_author)',
) }}
from calls
