with

notice_events as (
    select * from {{ ref('stg_events__notices') }}
),

raised as (
    select * from notice_events
    where event_type = 'notice_raised'
    qualify row_number() over (partition by notice_id order by occurred_at nulls last, event_id) = 1
),

sent as (
    select
        notice_id,
        count(case when event_type = 'notice_sent' then 1 end) as sent_count,
        count(case when event_type = 'notice_failed' then 1 end) as failed_count,
        min(case when event_type = 'notice_sent' then occurred_at end) as first_sent_at
    from notice_events
    where event_type <> 'notice_raised'
    group by notice_id
)

select
    raised.notice_id,
    raised.notice_kind,
    raised.reason,
    raised.agent_id,
    raised.team_id,
    raised.approval_id,
    raised.wallet_id,
    raised.occurred_at as raised_at,
    {{ local_date('raised.occurred_at') }} as raised_date,
    cast(coalesce(sent.sent_count, 0) as bigint) as sent_count,
    cast(coalesce(sent.failed_count, 0) as bigint) as failed_count,
    sent.first_sent_at,
    raised.is_demo
from raised
left join sent on sent.notice_id = raised.notice_id
