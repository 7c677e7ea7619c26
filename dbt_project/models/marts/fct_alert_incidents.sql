with

alerts as (
    select * from {{ ref('stg_events__alerts') }}
),

{% for step in ['raised', 'acknowledged', 'resolved'] %}
{{ step }} as (
    select * from alerts
    where event_type = 'alert_{{ step }}'
    qualify row_number() over (
        partition by alert_incident_id, is_demo order by occurred_at nulls last, event_id
    ) = 1
){{ ',' if not loop.last }}

{% endfor %}
select
    raised.alert_incident_id,
    raised.alert_id,
    raised.metric_id,
    case
        when raised.agent_id is not null then 'agent'
        when raised.team_id is not null then 'team'
        else 'fleet'
    end as target_kind,
    raised.agent_id,
    raised.team_id,
    raised.reason as sentence,
    raised.observed_micro,
    raised.bound_micro,
    raised.notice_id,
    raised.occurred_at as raised_at,
    {{ local_date('raised.occurred_at') }} as raised_date,
    acknowledged.occurred_at as acknowledged_at,
    acknowledged.person_id as acknowledged_by,
    acknowledged.reason as acknowledgement,
    resolved.occurred_at as resolved_at,
    resolved.reason as resolution,
    case
        when resolved.alert_incident_id is not null then 'ended'
        when acknowledged.alert_incident_id is not null then 'acknowledged'
        else 'open'
    end as incident_status,
    {{ us_to_s(us_between('raised.occurred_at', 'acknowledged.occurred_at')) }} as seconds_to_acknowledge,
    {{ us_to_s(us_between('raised.occurred_at', 'resolved.occurred_at')) }} as seconds_open,
    raised.is_demo
from raised
{% for step in ['acknowledged', 'resolved'] %}
left join {{ step }}
    on
        {{ step }}.alert_incident_id = raised.alert_incident_id
        and {{ step }}.is_demo = raised.is_demo
{% endfor %}
