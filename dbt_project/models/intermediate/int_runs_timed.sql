{# When a run was asked for, began, waited and ended, and in which state it is. #}
{{ config(meta={'by': 'run'}) }}
with

run_events as (
    select * from {{ ref('stg_events__runs') }}
    where event_type <> 'message_recorded'
),

runs as (
    select * from {{ ref('int_runs_found') }}
),

populations as (
    select * from {{ ref('int_populations_counted') }}
),

waits as (
    select * from {{ ref('int_runs_waited') }}
),

stated as (
    select * from {{ ref('int_runs_stated') }}
),

repeated as (
    {{ repeated_keys(ref('stg_events__runs'), ['run_id'], "event_type = 'run_ended'") }}
),

ends as (
    {{ first_by_key(ref('stg_events__runs'), 'repeated', "event_type = 'run_ended'", ['run_id'],
        ['occurred_at desc nulls last', 'event_id desc']) }}
),

moments as (
    select
        run_id,
        min(case when event_type = 'run_requested' then occurred_at end) as requested_at,
        min(case when event_type = 'run_started' then occurred_at end) as started_at,
        min(case when event_type = 'run_refused' then occurred_at end) as refused_at,
        max(case when event_type in ('run_started', 'run_resumed') then occurred_at end) as active_since_at
    from run_events
    group by run_id
),

-- the record of an outside run may have grown: an end before the run went on is none
last_ends as (
    select ends.*
    from ends
    inner join moments on moments.run_id = ends.run_id
    where moments.active_since_at is null or ends.occurred_at >= moments.active_since_at
),

joined as (
    select
        runs.run_id,
        runs.is_time_known,
        runs.seen_at,
        coalesce(ends.is_time_stated, runs.is_time_known) as is_end_known,
        ends.source_end_reason,
        coalesce(moments.requested_at, moments.refused_at, moments.started_at) as requested_at,
        moments.started_at,
        moments.refused_at,
        ends.occurred_at as stated_end_at,
        ends.end_state as stated_end_state,
        ends.error_type,
        ends.machine_ns,
        ends.declared_event_count,
        coalesce(ends.reported_cost_nano_usd, stated.reported_cost_nano_usd) as reported_cost_nano_usd,
        ends.other_side_cost_nano_usd,
        coalesce(waits.is_waiting, false) as is_waiting,
        waits.waiting_us,
        waits.queued_us,
        -- started, no end within 24 h of the last sign of activity, by the clock of the log itself
        case
            when ends.run_id is null and moments.active_since_at is not null and not coalesce(waits.is_waiting, false)
                and moments.active_since_at + interval '24' hour <= populations.data_until
                then moments.active_since_at + interval '24' hour
        end as lost_at
    from runs
    inner join populations on populations.is_demo = runs.is_demo
    left join moments on moments.run_id = runs.run_id
    left join last_ends as ends on ends.run_id = runs.run_id
    left join stated on stated.run_id = runs.run_id
    left join waits on waits.run_id = runs.run_id
)

select
    run_id,
    case when is_time_known then requested_at end as requested_at,
    case when is_time_known then started_at end as started_at,
    case when is_end_known then coalesce(stated_end_at, lost_at) end as ended_at,
    -- known or not, the moment that gives the run its day; of a run whose own events are late or were pruned,
    -- the first that is there
    coalesce(stated_end_at, lost_at, requested_at, seen_at) as placed_at,
    coalesce(stated_end_state, case when lost_at is not null then 'lost' end) as end_state,
    case
        when stated_end_at is not null or lost_at is not null then 'ended'
        when refused_at is not null and started_at is null then 'refused'
        when is_waiting then 'waiting'
        when started_at is not null then 'running'
        else 'queued'
    end as run_status,
    error_type,
    source_end_reason,
    machine_ns,
    declared_event_count,
    reported_cost_nano_usd,
    other_side_cost_nano_usd,
    case
        when stated_end_at is not null and is_time_known and is_end_known
            then {{ us_between('requested_at', 'stated_end_at') }}
    end as end_to_end_us,
    case when is_time_known then coalesce(waiting_us, 0) end as waiting_us,
    case
        when started_at is not null and is_time_known
            then {{ us_between('requested_at', 'started_at') }} + coalesce(queued_us, 0)
    end as queue_us
from joined
