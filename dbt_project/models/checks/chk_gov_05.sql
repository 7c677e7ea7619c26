{# Each person who ever was removed: nothing of theirs after that, until they were declared again. #}
with

people as (
    select
        *,
        lead(occurred_at) over (partition by person_id, is_demo order by occurred_at nulls last, event_id) as until_at
    from {{ ref('stg_events__registry') }}
    where event_type in ('person_declared', 'person_removed')
),

done as (
    select * from {{ ref('int_check_acts') }}
    union all
    select event_id, person_id, occurred_at, run_id, agent_id, team_id, is_demo
    from {{ ref('stg_events__access') }}
),

-- everybody who acted is looked at, in each month in which they did
acted as (
    select
        done.is_demo,
        {{ month_of(local_date('done.occurred_at')) }} as month_start_date,
        done.person_id,
        max(case when people.event_type = 'person_removed' then done.event_id end) as event_id,
        max(case when people.event_type = 'person_removed' then done.agent_id end) as agent_id,
        max(case when people.event_type = 'person_removed' then done.team_id end) as team_id,
        max(case when people.event_type = 'person_removed' then done.run_id end) as run_id,
        count(case when people.event_type = 'person_removed' then 1 end) as after_count
    from done
    left join people
        on
            people.person_id = done.person_id
            and people.is_demo = done.is_demo
            and people.occurred_at < done.occurred_at
            and (people.until_at is null or people.until_at > done.occurred_at)
    where done.person_id is not null
    group by done.is_demo, {{ month_of(local_date('done.occurred_at')) }}, done.person_id
)

select
{{ check_row(
    month='month_start_date', kind='person', object='person_id',
    violation='after_count > 0',
    detail="person_id || ' did ' || after_count || ' things after having been removed'",
    agent='agent_id', team='team_id', run='run_id', person='person_id', event='event_id',
) }}
from acted
