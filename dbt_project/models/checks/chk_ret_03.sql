{# Each erasure request that fell due or was answered: answered within a month. Needs recorded requests. #}
with

answers as (
    select
        request_id,
        min(occurred_at) as answered_at
    from {{ ref('stg_events__assurance') }}
    where event_type = 'erasure_answered'
    group by request_id
),

requests as (
    select
        requests.is_demo,
        requests.request_id,
        requests.event_id,
        requests.person_id,
        requests.received_at + interval '1' month as due_at,
        answers.answered_at,
        months.month_start_date,
        months.month_end_at
    from {{ ref('stg_events__assurance') }} as requests
    left join answers on answers.request_id = requests.request_id
    inner join {{ ref('int_check_months') }} as months
        on
            months.is_demo = requests.is_demo
            and requests.received_at < months.month_end_at
            and (answers.answered_at is null or answers.answered_at >= months.month_end_at - interval '1' month)
    where requests.event_type = 'erasure_requested'
)

select
{{ check_row(
    month='month_start_date', kind='erasure request', object='request_id',
    violation='coalesce(answered_at, month_end_at) > due_at',
    detail="request_id || case when answered_at is null then ' is not answered' else ' was answered after more than a month' end",
    person='person_id', event='event_id',
) }}
from requests
