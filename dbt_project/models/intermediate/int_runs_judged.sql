{# What people and the source said about a run: verdict, score, interventions, approvals. #}
{{ config(meta={'by': 'run'}) }}
with

runs as (
    select * from {{ ref('int_runs_timed') }}
),

found as (
    select * from {{ ref('int_runs_found') }}
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

violations as (
    select * from outcome_events
    where event_type = 'outcome_recorded' and outcome_kind = 'security' and is_good is not null
    qualify row_number() over (
        partition by run_id order by occurred_at desc nulls last, recorded_at desc nulls last, event_id desc
    ) = 1
),

stated as (
    select * from {{ ref('int_runs_stated') }}
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
        -- what a policy of the source decided is no person's doing
        count(
            case
                when approval_status in ('rejected', 'approved_changed') and coalesce(decider_kind, 'person') <> 'policy'
                    then 1
            end
        ) as overruled_count,
        count(case when approval_status = 'approved' and coalesce(decider_kind, 'person') <> 'policy' then 1 end)
            as unchanged_count
    from {{ ref('int_approvals_decided') }}
    group by run_id
)

select
    runs.run_id,
    verdicts.run_id is not null as has_verdict,
    verdicts.is_good as is_verdict_good,
    verdicts.score_micro,
    not violations.is_good as is_violation,
    coalesce(verdicts.is_good, runs.end_state = 'completed') as is_completed,
    cast(
        coalesce(corrections.correction_count, 0)
        + coalesce(approvals.overruled_count, 0)
        + case when runs.end_state = 'cancelled' then 1 else 0 end
        as bigint
    ) as intervention_count,
    case
        when stated.is_approvals_unstated then null
        -- an outside source that tells of none does not say that none was asked for
        when found.is_from_outside and stated.run_id is null and approvals.run_id is null then null
        else cast(coalesce(approvals.approval_count, 0) as bigint)
    end as approval_count,
    coalesce(approvals.unchanged_count, 0) > 0 as is_approved_run
from runs
inner join found on found.run_id = runs.run_id
left join verdicts on verdicts.run_id = runs.run_id
left join violations on violations.run_id = runs.run_id
left join stated on stated.run_id = runs.run_id
left join corrections on corrections.run_id = runs.run_id
left join approvals on approvals.run_id = runs.run_id
