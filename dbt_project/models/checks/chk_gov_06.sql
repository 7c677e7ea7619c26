{# Each own run of a declared agent started while the agent was neither retired nor suspended. #}
with

statuses as (
    select
        *,
        lead(occurred_at) over (
            partition by agent_id, applies_to_demo order by occurred_at nulls last, event_id
        ) as until_at
    from {{ ref('int_registry_applied') }}
    where event_type = 'status_changed'
),

runs as (
    select
        runs.*,
        statuses.status
    from {{ ref('int_check_runs') }} as runs
    left join statuses
        on
            statuses.agent_id = runs.agent_id
            and statuses.applies_to_demo = runs.is_demo
            and statuses.occurred_at <= runs.requested_at
            and (statuses.until_at is null or statuses.until_at > runs.requested_at)
)

select
{{ check_row(
    month='month_start_date', kind='run', object='run_id',
    violation="status in ('retired', 'suspended')",
    detail="agent_id || ' ran although it was ' || status",
    agent='agent_id', team='team_id', run='run_id', person='actor_id',
) }}
from runs
