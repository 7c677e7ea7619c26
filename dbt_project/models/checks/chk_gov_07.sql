{# Each agent at work for a quarter or longer was reviewed within the last two quarters' time. Needs recorded reviews. #}
with

reviews as (
    select * from {{ ref('stg_events__assurance') }}
    where event_type = 'review_decided' and coalesce(review_decision, '') <> 'postpone'
),

recording as (
    select
        is_demo,
        min(occurred_at) as since_at
    from reviews
    group by is_demo
),

agents as (
    select
        inventory.is_demo,
        inventory.month_start_date,
        inventory.agent_id,
        inventory.team_id,
        inventory.owner_id,
        count(reviews.event_id) as review_count
    from {{ ref('int_check_inventory') }} as inventory
    inner join {{ ref('dim_agents') }} as agents
        on agents.agent_id = inventory.agent_id and agents.is_demo = inventory.is_demo
    inner join recording on recording.is_demo = inventory.is_demo and recording.since_at < inventory.month_end_at
    left join reviews
        on
            reviews.agent_id = inventory.agent_id
            and reviews.is_demo = inventory.is_demo
            and reviews.occurred_at < inventory.month_end_at
            and reviews.occurred_at >= inventory.month_end_at - interval '{{ check_parameter('review_days') }}' day
    where inventory.status in ('live', 'watch')
        and agents.first_run_at < inventory.month_end_at - interval '{{ check_parameter('review_days') }}' day
    group by
        inventory.is_demo, inventory.month_start_date, inventory.agent_id, inventory.team_id, inventory.owner_id
)

select
{{ check_row(
    month='month_start_date', kind='agent', object='agent_id',
    violation='review_count = 0',
    detail="agent_id || ' was not reviewed in " ~ check_parameter('review_days') ~ " days'",
    agent='agent_id', team='team_id', person='owner_id',
) }}
from agents
