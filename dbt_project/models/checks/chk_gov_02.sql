{# Each high-risk version that ran was approved by somebody else than its author, and evaluated, before its first run. #}
with

started as (
    select
        agent_id,
        agent_version,
        is_demo,
        min(started_at) as first_started_at
    from {{ ref('int_check_runs') }}
    group by agent_id, agent_version, is_demo
),

events as (
    select * from {{ ref('stg_events__assurance') }}
    where event_type in ('version_approved', 'version_evaluated')
),

-- evaluations count from the first one that is recorded
evaluating as (
    select
        is_demo,
        min(occurred_at) as since_at
    from events
    where event_type = 'version_evaluated'
    group by is_demo
),

versions as (
    select
        versions.is_demo,
        versions.month_start_date,
        versions.agent_id,
        versions.agent_version,
        versions.team_id,
        versions.author_id,
        max(case when evaluating.since_at <= versions.declared_at then 1 else 0 end) as needs_evaluation,
        count(case
            when events.event_type = 'version_approved' and events.person_id <> coalesce(versions.author_id, '') then 1
        end) as approval_count,
        count(case when events.event_type = 'version_evaluated' and events.is_good then 1 end) as evaluation_count
    from {{ ref('int_check_versions') }} as versions
    inner join started
        on
            started.agent_id = versions.agent_id
            and started.agent_version = versions.agent_version
            and started.is_demo = versions.is_demo
    left join evaluating on evaluating.is_demo = versions.is_demo
    left join events
        on
            events.agent_id = versions.agent_id
            and events.agent_version = versions.agent_version
            and events.is_demo = versions.is_demo
            and events.version_hash = versions.version_hash
            and events.occurred_at <= started.first_started_at
    where versions.risk_class = 'high'
    group by
        versions.is_demo, versions.month_start_date, versions.agent_id, versions.agent_version, versions.team_id,
        versions.author_id
)

select
{{ check_row(
    month='month_start_date', kind='version', object="agent_id || ' v' || agent_version",
    violation='approval_count = 0 or (needs_evaluation = 1 and evaluation_count = 0)',
    detail="agent_id || ' v' || agent_version || case when approval_count = 0 then ' ran before somebody else than its author had approved it' else ' ran before it had passed an evaluation' end",
    agent='agent_id', team='team_id', person='author_id',
) }}
from versions
