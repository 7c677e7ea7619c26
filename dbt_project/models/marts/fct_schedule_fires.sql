with

slots as (
    select * from {{ ref('stg_events__schedules') }}
),

runs as (
    select * from {{ ref('int_runs_found') }}
)

select
    slots.event_id,
    slots.rule_id as schedule_id,
    slots.agent_id,
    coalesce(slots.team_id, runs.team_id) as team_id,
    slots.slot_at,
    {{ local_date('coalesce(slots.slot_at, slots.occurred_at)') }} as slot_date,
    slots.slot_at is not null as is_expected,
    case
        when slots.event_type = 'schedule_missed' and slots.refusal_rule is not null then 'refused'
        when slots.event_type = 'schedule_missed' then 'missed'
        when slots.slot_at is null then 'by_hand'
        when coalesce(slots.is_late, false) then 'late'
        else 'fired'
    end as fire_status,
    {{ ns_to_ms('slots.lateness_ns') }} as lateness_ms,
    slots.run_id,
    slots.person_id,
    slots.refusal_rule,
    slots.reason,
    slots.occurred_at as told_at,
    slots.is_demo
from slots
left join runs on runs.run_id = slots.run_id
