{# What people and the source said about a run: verdict, score, interventions, approvals. #}
with

runs as (
    select * from {{ ref('int_runs_timed') }}
),

outcome_events as (
    select * from {{ ref('stg_events__outcomes') }}
),

verdicts as (
    select * from outcome_events
    where
        event_type = 'outcome_recorded'
        -- ratings and judges are shown apart from success
        and outcome_kind in ('task_reward', 'user_confirmation')
        and is_good is not null
    qualify row_number() over (
        partition by run_id order by occurred_at desc nulls last, recorded_at desc nulls last, event_id desc
    ) = 1
),

corrections as (
    select
        run_id,
        count(*) as correction_count
    from outcome_events
    where event_type = 'intervention_recorded'
    group by run_id
),

approvals as (
    select
        run_id,
        count(*) as approval_count,
        count(case when approval_status in ('rejected', 'approved_changed') then 1 end) as overruled_count,
        count(case when approval_status = 'approved' then 1 end) as unchanged_count
    from {{ ref('int_approvals_decided') }}
    group by run_id
)

select
    runs.run_id,
    verdicts.run_id is not null as has_verdict,
    verdicts.is_good as is_verdict_good,
    verdicts.score_micro,
    coalesce(verdicts.is_good, runs.end_state = 'completed') as is_completed,
    cast(
        coalesce(corrections.correction_count, 0)
        + coalesce(approvals.overruled_count, 0)
        + case when runs.end_state = 'cancelled' then 1 else 0 end
        as bigint
    ) as intervention_count,
    cast(coalesce(approvals.approval_count, 0) as bigint) as approval_count,
    coalesce(approvals.unchanged_count, 0) > 0 as is_approved_run
from runs
left join verdicts on verdicts.run_id = runs.run_id
left join corrections on corrections.run_id = runs.run_id
left join approvals on approvals.run_id = runs.run_id
