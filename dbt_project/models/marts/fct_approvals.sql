{{ config(meta={'by': 'run'}) }}
with

approvals as (
    select * from {{ ref('int_approvals_decided') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
),

stated as (
    select * from {{ ref('int_runs_stated') }}
)

select
    approvals.approval_id,
    approvals.run_id,
    approvals.call_index,
    coalesce(runs.agent_id, approvals.agent_id) as agent_id,
    coalesce(runs.team_id, approvals.team_id) as team_id,
    approvals.tool_name,
    approvals.approval_rule,
    approvals.approver_role,
    approvals.requested_by,
    case when coalesce(runs.is_time_known, true) then approvals.requested_at end as requested_at,
    approvals.first_shown_at,
    approvals.shown_to_decider_at,
    case when coalesce(runs.is_time_known, true) then approvals.decided_at end as decided_at,
    approvals.decided_by,
    approvals.decider_kind,
    approvals.decision,
    approvals.source_decision,
    -- a source that tells of denials only, or of rules that decide, says nothing about how often persons approve
    approvals.decision is not null
    and coalesce(approvals.decider_kind, 'unknown') = 'person'
    and not coalesce(stated.is_approvals_unstated, false) as is_rated,
    approvals.approval_status,
    approvals.reason,
    approvals.expires_at,
    approvals.is_consumed,
    {{ us_to_s(us_between('approvals.shown_to_decider_at', 'approvals.decided_at')) }} as seconds_to_decide,
    {{ nano_to_usd('approvals.money_at_stake_nano_usd') }} as money_at_stake_usd,
    {{ local_date('approvals.requested_at') }} as requested_date,
    {{ local_date('approvals.decided_at') }} as decision_date,
    coalesce(runs.is_delegated, false) as is_delegated,
    approvals.is_demo,
    approvals.recorded_via
from approvals
left join runs on runs.run_id = approvals.run_id
left join stated on stated.run_id = approvals.run_id
