{# Each reviewer who got seeded cases: the share of planted errors that was caught. Needs recorded cases. #}
with

reviewers as (
    select
        is_demo,
        {{ month_of(local_date('occurred_at')) }} as month_start_date,
        person_id,
        cast(count(*) as bigint) as case_count,
        cast(count(case when is_good then 1 end) as bigint) as caught_count
    from {{ ref('stg_events__assurance') }}
    where event_type = 'seeded_case_recorded'
    group by is_demo, {{ month_of(local_date('occurred_at')) }}, person_id
)

select
{{ check_row(
    month='month_start_date', kind='reviewer', object='person_id',
    violation='caught_count < ' ~ check_parameter('min_seeded_catch') ~ ' * case_count',
    detail="person_id || ' caught ' || caught_count || ' of ' || case_count || ' planted errors'",
    person='person_id', population='case_count',
) }}
from reviewers
