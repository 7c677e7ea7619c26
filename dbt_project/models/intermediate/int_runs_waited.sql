{# Pauses of a run as intervals: until the decision it is a person's time, from then on the queue's. Waiting
   for a delegate is the queue's too: a person's part in it is counted at the delegate's own run. #}
{{ config(meta={'by': 'run'}) }}
with

run_events as (
    select * from {{ ref('stg_events__runs') }}
    where event_type in ('run_requested', 'run_started', 'run_paused', 'run_resumed', 'run_ended')
),

paused_runs as (
    select distinct run_id
    from run_events
    where event_type = 'run_paused'
),

decisions as (
    select
        run_id,
        occurred_at as decided_at
    from {{ ref('stg_events__approvals') }}
    where event_type in ('approval_decided', 'approval_expired')
),

steps as (
    select
        run_events.run_id,
        run_events.event_id,
        run_events.event_type,
        run_events.pause_reason,
        run_events.occurred_at,
        lead(run_events.occurred_at) over run_order as next_at,
        lead(run_events.event_type) over run_order as next_type
    from run_events
    inner join paused_runs on paused_runs.run_id = run_events.run_id
    window run_order as (
        partition by run_events.run_id
        order by
            run_events.occurred_at nulls last,
            run_events.recorded_at nulls last,
            run_events.seq nulls last,
            run_events.event_id
    )
),

pauses as (
    select
        steps.run_id,
        steps.event_id,
        steps.pause_reason,
        steps.occurred_at as paused_at,
        steps.next_at,
        max(decisions.decided_at) as decided_at
    from steps
    left join decisions
        on
            decisions.run_id = steps.run_id
            and decisions.decided_at >= steps.occurred_at
            and decisions.decided_at <= steps.next_at
    where steps.event_type = 'run_paused'
    group by steps.run_id, steps.event_id, steps.pause_reason, steps.occurred_at, steps.next_at
)

select
    run_id,
    bool_or(next_at is null) as is_waiting,
    cast(sum(
        case
            when next_at is null or pause_reason in ('budget', 'delegate') then 0
            else {{ us_between('paused_at', 'coalesce(decided_at, next_at)') }}
        end
    ) as bigint) as waiting_us,
    cast(sum(
        case
            when next_at is null then 0
            when pause_reason in ('budget', 'delegate') then {{ us_between('paused_at', 'next_at') }}
            when decided_at is not null then {{ us_between('decided_at', 'next_at') }}
            else 0
        end
    ) as bigint) as queued_us
from pauses
group by run_id
