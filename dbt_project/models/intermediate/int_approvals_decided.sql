{# One row per approval: asked, first shown, decided, expired or withdrawn, used. #}
{{ config(meta={'by': 'run'}) }}
with

approval_events as (
    select * from {{ ref('stg_events__approvals') }}
),

requested as (
    select * from approval_events
    where event_type in ('approval_requested', 'approval_reported')
    qualify row_number() over (partition by approval_id order by occurred_at nulls last, event_id) = 1
),

decided as (
    select * from approval_events
    where
        (event_type = 'approval_decided' or (event_type = 'approval_reported' and decision is not null))
        -- the first of two approvals decides nothing yet
        and not coalesce(is_confirmation_needed, false)
    qualify row_number() over (partition by approval_id order by occurred_at nulls last, event_id) = 1
),

expired as (
    select
        approval_id,
        -- a reason says that the run was stopped before anybody had to decide
        bool_or(reason is not null) as is_withdrawn
    from approval_events
    where event_type = 'approval_expired'
    group by approval_id
),

consumed as (
    select
        approval_id,
        min(occurred_at) as consumed_at,
        count(*) as use_count
    from approval_events
    where event_type = 'approval_consumed'
    group by approval_id
),

shown as (
    select
        approval_events.approval_id,
        min(approval_events.occurred_at) as first_shown_at,
        min(case when approval_events.person_id = decided.person_id then approval_events.occurred_at end)
            as shown_to_decider_at
    from approval_events
    left join decided on decided.approval_id = approval_events.approval_id
    where
        approval_events.event_type = 'approval_shown'
        and (decided.approval_id is null or approval_events.occurred_at <= decided.occurred_at)
    group by approval_events.approval_id
),

ended as (
    select
        run_id,
        end_state
    from {{ ref('int_runs_timed') }}
    where run_status = 'ended'
)

select
    requested.approval_id,
    requested.run_id,
    requested.agent_id,
    requested.team_id,
    requested.is_demo,
    requested.call_index,
    requested.tool_name,
    requested.approval_rule,
    requested.approver_role,
    requested.actor_id as requested_by,
    requested.occurred_at as requested_at,
    requested.expires_at,
    requested.arguments_digest,
    decided.approved_digest,
    decided.event_id as decision_event_id,
    requested.money_at_stake_nano_usd,
    shown.first_shown_at,
    shown.shown_to_decider_at,
    decided.occurred_at as decided_at,
    decided.person_id as decided_by,
    decided.decision,
    decided.source_decision,
    -- decisions made here are made by persons
    case when decided.event_type = 'approval_decided' then 'person' else decided.decider_kind end as decider_kind,
    requested.recorded_via,
    decided.reason,
    case
        when decided.decision is not null then decided.decision
        when expired.is_withdrawn then 'withdrawn'
        when expired.approval_id is not null or ended.end_state = 'expired_waiting' then 'expired'
        -- nobody waits for a run that is over; of its own runs only the source knows whether it decided
        when ended.run_id is not null and requested.event_type = 'approval_requested' then 'withdrawn'
        else 'waiting'
    end as approval_status,
    consumed.approval_id is not null as is_consumed,
    consumed.consumed_at,
    coalesce(consumed.use_count, 0) as use_count
from requested
left join shown on shown.approval_id = requested.approval_id
left join decided on decided.approval_id = requested.approval_id
left join expired on expired.approval_id = requested.approval_id
left join ended on ended.run_id = requested.run_id
left join consumed on consumed.approval_id = requested.approval_id
