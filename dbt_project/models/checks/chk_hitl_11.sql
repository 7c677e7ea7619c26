{#
  Each high-risk version that ran is looked at for Annex III 1(a), remote biometric identification; of those
  that are, each executed call needs two people who approved it before it ran.
#}
with

versions as (
    select
        *,
        (';' || coalesce(risk_reasons, '') || ';') like '%;annex_iii_1a;%' as is_biometric
    from {{ ref('int_check_versions') }}
    where risk_class = 'high'
),

yes as (
    select * from {{ ref('stg_events__approvals') }}
    where event_type = 'approval_decided' and decision in ('approved', 'approved_changed')
),

calls as (
    select
        calls.is_demo,
        calls.month_start_date,
        calls.call_id as object_id,
        calls.run_id,
        calls.agent_id,
        calls.team_id,
        count(distinct yes.person_id) as person_count
    from {{ ref('int_check_calls') }} as calls
    inner join versions
        on
            versions.agent_id = calls.agent_id
            and versions.agent_version = calls.agent_version
            and versions.is_demo = calls.is_demo
            and versions.month_start_date = calls.month_start_date
    left join yes on yes.approval_id = calls.approval_id and yes.occurred_at <= coalesce(calls.consumed_at, calls.finished_at)
    where versions.is_biometric and calls.is_executed
    group by calls.is_demo, calls.month_start_date, calls.call_id, calls.run_id, calls.agent_id, calls.team_id
),

objects as (
    select * from calls
    union all
    select
        is_demo,
        month_start_date,
        agent_id || ' v' || agent_version as object_id,
        cast(null as string) as run_id,
        agent_id,
        team_id,
        cast(null as bigint) as person_count
    from versions
)

select
{{ check_row(
    month='month_start_date', kind='tool call', object='object_id',
    violation='person_count < 2',
    detail="coalesce(person_count, 0) || ' people confirmed the call before it ran; Article 14(5) asks for two'",
    agent='agent_id', team='team_id', run='run_id',
) }}
from objects
